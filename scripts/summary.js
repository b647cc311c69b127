'use strict';
// The closing line over everything that the last `npm test` counted, and the lanes that were run by name after it.

const { load, report } = require('./results');

process.exitCode = report(load());
