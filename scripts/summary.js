'use strict';
// The closing line over everything that the last `npm test` and `npm run test:nodes` counted.

const { load, report } = require('./results');

process.exitCode = report(load());
