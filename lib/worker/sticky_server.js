'use strict';

// An app worker behind a sticky port: the master accepts there, and hands each client's connections to one worker. The server
// listens on a port that all workers share and only this machine reaches; by that the master knows who can take connections.

const dns = require('dns');

const { readsRequests } = require('../options/sticky');
const { impersonate } = require('./impersonate');

// What the master's message is, and a name that other software knows, too; the `action` of an object where a proxy has named the client.
const CONNECTION = 'sticky-session:connection';

/**
 * @param {import('net').Server} server
 * @param {import('./app_server').Address} address where clients find the master
 * @param {import('./boot').WorkerContext} context
 */
function listenBehindMaster(server, address, { options, logger, send, terminate }) {
  if (address.protocol === 'https' && readsRequests(options.sticky)) {
    logger.error('[app_worker] config https cannot be used with options.sticky %j: what TLS encrypts, the master cannot read', options.sticky);
    terminate();
    return;
  }
  for (const name of ['path', 'reusePort']) {
    if (address[name]) logger.warn('[app_worker] config cluster.listen.%s is not used in sticky mode', name);
  }
  process.on('message', (message, connection) => {
    if (!connection) return;
    if (message === CONNECTION) {
      take(server, connection);
    } else if (message?.action === CONNECTION) {
      impersonate(connection._handle, message);
      take(server, connection);
    }
  });
  const listen = () => server.listen(options.stickyWorkerPort, '127.0.0.1');
  if (!address.hostname) {
    listen();
    return;
  }
  // Looked up here, as any other worker would for its own listen, and with the same errors.
  dns.lookup(address.hostname, (error, hostname) => {
    if (error) {
      server.emit('error', error);
      return;
    }
    const { port, protocol } = address;
    send({ to: 'master', action: 'realport', data: { port, protocol, hostname } });
    listen();
  });
}

function take(server, connection) {
  // What a server does to the connections that it accepts itself.
  connection.allowHalfOpen = server.allowHalfOpen;
  connection.setNoDelay(server.noDelay);
  server.emit('connection', connection);
  connection.resume();
}

module.exports = { listenBehindMaster };
