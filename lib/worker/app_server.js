'use strict';

// The server of an app worker: which address it gets, http or https, and what happens when it cannot listen. Called by
// app_worker.js; listens through Node's cluster protocol, so the socket itself belongs to the master.

const fs = require('fs');
const http = require('http');
const https = require('https');
const { isMainThread } = require('worker_threads');

const { ServerDrain } = require('./drain');
const { countRequests } = require('./pulse');
const { listenBehindMaster } = require('./sticky_server');

/**
 * @typedef {object} Address
 * @property {unknown} port from the options, else from the app's config
 * @property {string} [path] a unix socket; wins over the port
 * @property {string} [hostname]
 * @property {boolean} reusePort a socket of this worker's own on the port
 * @property {'http' | 'https'} protocol
 * @property {object} tls options for https.createServer, key and cert still as given
 */

/**
 * Reads where the app is to listen and writes the port back into its options, where the app can see it.
 * @param {{config: object, options?: object}} app
 * @param {object} options the parsed options
 * @returns {Address}
 */
function readAddress(app, options) {
  const config = app.config.cluster ?? {};
  const listen = config.listen ?? {};
  const tls = { ...config.https, ...options.https };
  const port = options.port || listen.port;
  options.port = port;
  if (app.options) app.options.port = port;
  const reusePort = Boolean(options.reusePort || listen.reusePort);
  if (reusePort) options.reusePort = true;
  const hasOwnSocket = reusePort || options.balance === 'kernel';
  return { port, path: listen.path, hostname: listen.hostname, reusePort: hasOwnSocket, protocol: tls.key && tls.cert ? 'https' : 'http', tls };
}

/** What the master has to know of it before this worker listens. */
function realPort({ port, protocol, reusePort }) {
  return { to: 'master', action: 'realport', data: { port, protocol, ...(reusePort && { reusePort }) } };
}

/**
 * @param {object} app a ready application
 * @param {Address} address
 * @param {import('./boot').WorkerContext} context
 */
function serve(app, address, context) {
  const { options, logger, flavour, servers, send, terminate } = context;
  const server = createServer(app, address);
  servers.push(new ServerDrain(server));
  countRequests(server);
  server.once('error', error => {
    logger.error('[app_worker] server got error: %s, code: %s', error.message, error.code);
    terminate();
  });
  // A process says it by Node's cluster protocol.
  if (!isMainThread) {
    server.once('listening', () => send({ to: 'master', action: 'listening', data: addressOf(server) }));
  }
  app.emit('server', server);

  if (address.path && !options.sticky) {
    server.listen(address.path);
  } else if (typeof address.port !== 'number') {
    const label = flavour === 3 ? `app_worker:${process.pid}` : 'app_worker';
    logger.error('[%s] port should be number, but got %s(%s)', label, address.port, typeof address.port);
    terminate();
    return;
  } else if (options.sticky) {
    listenBehindMaster(server, address, context);
  } else if (address.reusePort && !isMainThread) {
    // For a process the master opens the socket.
    server.listen({ port: address.port, host: address.hostname, reusePort: true });
  } else if (address.hostname) {
    server.listen(address.port, address.hostname);
  } else {
    server.listen(address.port);
  }
  if (options.debugPort) serveDebugPort(app, options.debugPort, { logger, servers });
}

/** Where it listens, in the form of Node's cluster protocol. */
function addressOf(server) {
  const bound = server.address();
  if (typeof bound === 'string') return { address: bound, addressType: -1, port: -1 };
  return { address: bound.address, addressType: bound.family === 'IPv4' ? 4 : 6, port: bound.port };
}

function createServer(app, { protocol, tls }) {
  if (protocol === 'http') return http.createServer(app.callback());
  const material = { ...tls, key: readMaterial(tls.key), cert: readMaterial(tls.cert), ca: readMaterial(tls.ca) };
  return https.createServer(material, app.callback());
}

// A plain http server beside the real one. It is a convenience: that it cannot listen must not end a serving worker.
function serveDebugPort(app, port, { logger, servers }) {
  const server = http.createServer(app.callback());
  servers.push(new ServerDrain(server));
  server.once('error', error => {
    logger.error('[app_worker] debug port server got error: %s, code: %s', error.message, error.code);
  });
  server.listen(port);
}

// Keys and certificates are files or the bytes themselves; bytes in the options have come through JSON.
function readMaterial(value) {
  if (Array.isArray(value)) return value.map(readMaterial);
  if (typeof value === 'string') return value.startsWith('-----BEGIN') ? value : fs.readFileSync(value);
  if (value?.type === 'Buffer' && Array.isArray(value.data)) return Buffer.from(value.data);
  return value || undefined;
}

module.exports = { readAddress, realPort, serve };
