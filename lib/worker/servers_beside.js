'use strict';

// Servers that an app opens in its worker beside the one that it is served by. They listen through Node's cluster protocol, too, so the
// master hands them nothing more once the worker drains; what they have is answered as on the worker's own. They stay open: closing
// them is the business of the app's close hooks, which would fail where it is done already.

const http = require('http');
const https = require('https');
const net = require('net');

const { ServerDrain } = require('./drain');
const { SessionDrain } = require('./session_drain');

/** One for each server, also when it closes and listens again. */
const known = new WeakMap();

/**
 * Has each HTTP server that asks the master for its socket from now on drained with the others.
 * @param {import('cluster')} cluster of this process; no worker of a cluster (the agent, a thread) asks nobody
 * @param {object[]} drains those of this worker so far; new ones are added
 */
function drainServersBeside(cluster, drains) {
  // What net.Server.listen calls in a worker: https://github.com/nodejs/node/blob/main/lib/net.js, listenInCluster.
  const ask = cluster._getServer;
  if (typeof ask !== 'function') return;
  cluster._getServer = function(server, ...rest) {
    if (!drains.some(drain => drain.server === server)) addFor(server, drains);
    return ask.call(this, server, ...rest);
  };
}

function addFor(server, drains) {
  const drain = known.get(server) ?? drainOf(server);
  if (!drain) return;
  known.set(server, drain);
  drains.push(drain);
  server.once('close', () => drains.splice(drains.indexOf(drain), 1));
}

function drainOf(server) {
  if (server instanceof http.Server || server instanceof https.Server) return new ServerDrain(server, { closes: false });
  // Node does not show the classes of its HTTP/2 servers, and only they have this.
  if (server instanceof net.Server && typeof server.updateSettings === 'function') return new SessionDrain(server);
  return undefined;
}

module.exports = { drainServersBeside };
