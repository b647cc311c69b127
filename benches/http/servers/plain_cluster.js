'use strict';

// Node's own cluster; NODE_CLUSTER_SCHED_POLICY says how it deals.

const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  let missing = Number(process.env.WORKERS);
  cluster.on('listening', () => {
    missing -= 1;
    if (missing === 0) console.log('ready');
  });
  for (let count = missing; count > 0; count--) cluster.fork();
} else {
  http.createServer(require('./handle')).listen(Number(process.env.PORT));
}
