'use strict';
// Clusters on test/fixtures/apps/<name>, run by the embedded framework, and what a test asks of their workers.

const path = require('node:path');
const { startCluster } = require('./cluster');
const { freePort } = require('./free_port');

const APPS = path.join(__dirname, '..', 'fixtures', 'apps');
const MASTERS = path.join(__dirname, '..', 'fixtures', 'masters');
const STARTED = /\[master\] app_worker#(\d+):(\d+) started at /g;

/** Two workers on a free port, and dead ones replaced, unless `options` say otherwise. */
async function startFolder(name, options = {}, settings = {}) {
  const port = 'port' in options ? options.port : await freePort();
  return startCluster({ baseDir: path.join(APPS, name), workers: 2, env: 'prod', ...options, port }, settings);
}

/** A script of test/fixtures/masters, for the setting `starter`. */
function master(name) {
  return path.join(MASTERS, `${name}.js`);
}

/** The pids of all app workers that ever became ready, in that order. */
function startedPids(cluster) {
  return [...cluster.stdout.matchAll(STARTED)].map(match => Number(match[2]));
}

/** Resolves to the pid of the `index`-th app worker that becomes ready, counted from 0 over the cluster's life. */
function started(cluster, index, limits) {
  return cluster.waitFor(() => startedPids(cluster)[index], { what: `the start of app worker number ${index + 1}`, ...limits });
}

module.exports = { startFolder, startedPids, started, master, APPS };
