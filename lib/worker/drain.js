'use strict';

// How an app worker lets its servers go: nothing new is taken, what is under way is answered, and then the connections end. Called
// once, before the app's close hooks. Only what the worker scripts serve is drained; what the app opened besides is its own.

const https = require('https');
const net = require('net');

// A client that keeps its connection may be about to use it: it is given a while (`timeouts.linger`) to learn of the end from an answer.
// Looked for again and again, but not more often than this.
const LEAST_LINGER_MS = 10;
// A connection on which nothing was ever sent: its first request may still be on its way from far off.
const SILENT_LINGER_MS = 1000;
// A master that stands still must not hold up the rest.
const MASTER_ANSWER_MS = 500;

/** One server from its first connection on. Create it before the server listens. */
class ServerDrain {
  #server;
  #connections = new Set();
  #whenEmpty = null;

  /** @param {import('http').Server | import('https').Server} server */
  constructor(server) {
    this.#server = server;
    // What HTTP is spoken on: with TLS that is not the connection itself.
    server.on(server instanceof https.Server ? 'secureConnection' : 'connection', socket => {
      this.#connections.add(socket);
      socket.once('close', () => {
        this.#connections.delete(socket);
        if (this.#connections.size === 0) this.#whenEmpty?.();
      });
    });
  }

  /** From now on every answer says that it is the last on its connection. */
  announce() {
    const last = (request, response) => { response.shouldKeepAlive = false; };
    this.#server.prependListener('request', last);
    // Node emits this one in the place of 'request' where somebody listens.
    if (this.#server.listenerCount('checkContinue') > 0) this.#server.prependListener('checkContinue', last);
    for (const { _httpMessage: response } of this.#connections) {
      if (response && !response.headersSent) response.shouldKeepAlive = false;
    }
  }

  stopListening() {
    // Not http.Server's own close: that ends idle connections at once.
    if (this.#server.listening) net.Server.prototype.close.call(this.#server);
  }

  /**
   * Resolves when all connections have ended.
   * @param {number} lingerMs how long those that are idle are kept
   */
  async whenEmpty(lingerMs) {
    if (this.#connections.size === 0) return;
    // Again and again: an answer whose head went out before it could say that it is the last leaves its connection idle.
    const idle = setInterval(() => this.#server.closeIdleConnections(), Math.max(lingerMs, LEAST_LINGER_MS));
    const silent = setTimeout(() => this.#closeSilent(), Math.max(lingerMs, SILENT_LINGER_MS));
    await new Promise(resolve => { this.#whenEmpty = resolve; });
    clearInterval(idle);
    clearTimeout(silent);
  }

  #closeSilent() {
    for (const socket of this.#connections) {
      if (socket.bytesRead === 0) socket.destroy();
    }
  }
}

/** Resolves once the master hands no more connections to this worker and all those that it did hand over have come in. */
function endOfDealing(proc) {
  if (!proc.connected) return Promise.resolve();
  return new Promise(resolve => {
    const settle = () => {
      clearTimeout(timer);
      proc.removeListener('internalMessage', listener);
      proc.removeListener('disconnect', settle);
      resolve();
    };
    const listener = message => {
      if (message?.cmd === 'NODE_CLUTCH' && message.act === 'drained') settle();
    };
    const timer = setTimeout(settle, MASTER_ANSWER_MS);
    proc.on('internalMessage', listener);
    proc.once('disconnect', settle);
    proc.send({ cmd: 'NODE_CLUTCH', act: 'drain' }, undefined, undefined, () => {});
  });
}

/**
 * @param {ServerDrain[]} servers
 * @param {object} options
 * @param {number} options.limitMs after so many milliseconds, whatever is still under way is left to its fate
 * @param {number} options.lingerMs how long idle connections are kept
 * @param {NodeJS.Process} [options.proc]
 */
async function drainServers(servers, { limitMs, lingerMs, proc = process }) {
  if (servers.length === 0) return;
  for (const server of servers) server.announce();
  await endOfDealing(proc);
  for (const server of servers) server.stopListening();
  let timer;
  const limit = new Promise(resolve => { timer = setTimeout(resolve, limitMs); });
  await Promise.race([limit, Promise.all(servers.map(server => server.whenEmpty(lingerMs)))]);
  clearTimeout(timer);
}

module.exports = { ServerDrain, drainServers };
