'use strict';

// A cluster worker on a plain Node: does what the test tells it, and says what came of it.

const cluster = require('cluster');
const dgram = require('dgram');
const fs = require('fs');
const net = require('net');

const servers = new Map();

function tell(id, event, more) {
  process.send({ id, event, ...more });
}

function watch(id, server) {
  servers.set(id, server);
  server.on('listening', () => tell(id, 'listening', { address: server.address() }));
  server.on('error', err => tell(id, 'error', { code: err.code, message: err.message }));
  server.on('close', () => tell(id, 'closed'));
}

const orders = {
  state({ id }) {
    const { worker, isWorker } = cluster;
    tell(id, 'state', { isWorker, worker: worker.id, connected: process.connected, inherited: 'NODE_UNIQUE_ID' in process.env });
  },

  listen({ id, options }) {
    const server = net.createServer(socket => socket.end(`served by ${id}`));
    watch(id, server);
    server.listen(options);
  },

  bind({ id, type, options, flags }) {
    const socket = dgram.createSocket({ type, ...flags });
    socket.on('message', (text, from) => socket.send(`pong ${text}`, from.port, from.address));
    watch(id, socket);
    socket.bind(options);
  },

  close({ id }) {
    servers.get(id).close();
  },

  echo({ id, data }) {
    tell(id, 'echo', { data });
  },

  make({ id, length }) {
    tell(id, 'made', { data: 'é'.repeat(length / 2) });
    fs.writeSync(1, 'made\n');
  },

  // The handle that goes is of this process alone.
  give({ id, kind }) {
    if (kind === 'server') {
      const server = net.createServer();
      server.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
        const { port } = server.address();
        process.send({ id, event: 'given', port }, server, () => server.close());
        tell(id, 'behind');
      });
    } else {
      const socket = net.connect(kind.path, () => {
        process.send({ id, event: 'given' }, socket);
        tell(id, 'behind');
      });
    }
  },

  disconnect() {
    cluster.worker.disconnect();
  },

  destroy() {
    cluster.worker.kill();
  },

  // Nothing is read from the channel until the file is there.
  block({ id, until }) {
    tell(id, 'blocked');
    while (!fs.existsSync(until)) { /* wait */ }
    tell(id, 'awake');
  },
};

process.on('message', (message, handle) => {
  if (handle) {
    handle.end?.(`taken by ${message.id}`);
    tell(message.id, 'taken', { kind: handle.constructor.name });
    return;
  }
  orders[message.order](message);
});

process.on('disconnect', () => process.stdout.write('disconnected\n'));
