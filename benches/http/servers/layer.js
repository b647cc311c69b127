'use strict';

// A cluster layer of egg's kind: `node layer.js <the package's folder> <options as JSON>`.

const path = require('node:path');

const [, , layer, options] = process.argv;
const framework = path.join(__dirname, '..', 'framework');
const { PORT, WORKERS } = process.env;
const { startCluster } = require(layer);
const given = { baseDir: framework, framework, port: Number(PORT), workers: Number(WORKERS), env: 'prod', ...JSON.parse(options) };
Promise.resolve(startCluster(given, () => console.log('ready'))).catch(error => {
  console.error(error);
  process.exit(1);
});
