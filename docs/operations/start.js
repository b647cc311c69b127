'use strict';
// What a container runs: the master itself, so that it is the first process there, hears the signals, and reaps orphans.

const { startCluster } = require('egg-clutch');

startCluster({
  baseDir: __dirname,
  port: Number(process.env.PORT || 7001),
  env: 'prod',
  // Serves on after SIGTERM until the load balancer has heard that this container is leaving.
  preStopDelay: process.env.PRE_STOP_DELAY || 0,
  timeouts: { drain: '10s' },
});
