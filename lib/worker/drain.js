'use strict';

// How an app worker lets its servers go: nothing new is taken, what is under way is answered, and then the connections end. Called
// once, before the app's close hooks.

const https = require('https');
const net = require('net');

const { says, wordOf } = require('./clutch_word');

// A client that keeps its connection may be about to use it: it is given a while (`timeouts.linger`) to learn of the end from an answer.
// Where somebody waits for our end that is short. Where others serve in our place already it costs nothing but memory, and is long
// enough for a client that asks now and then: a connection that we close is cut in the face of a request that is on its way.
const SWIFT_LINGER_MS = 100;
const LEISURELY_LINGER_MS = 2000;
// So much of the time for all of it may be spent on that.
const LEISURE_SHARE = 0.7;
// After that it is looked for again and again.
const LOOK_AGAIN_MS = 100;
const LEAST_LINGER_MS = 10;
// So often it is put off because a connection that is idle now was used a moment ago: its client is about to be told, or to ask again.
const MAX_PUT_OFF = 10;
// A connection on which nothing was ever sent: its first request may still be on its way from far off.
const SILENT_LINGER_MS = 1000;
// A master that stands still must not hold up the rest.
const MASTER_ANSWER_MS = 500;

/**
 * @typedef {object} Drain how one server is let go
 * @property {import('net').Server} server
 * @property {() => void} announce tells its clients that their connections are about to end
 * @property {() => void} stopListening
 * @property {(linger: Linger) => Promise<void>} whenEmpty resolves when all have ended; those that are idle are kept for so long
 */

/** How long idle connections are kept: a time that can be cut short while it runs. */
class Linger {
  #timers = new Set();

  /** @param {number} ms */
  constructor(ms) {
    this.ms = ms;
  }

  /**
   * Calls `act` when it is over, and never before `leastMs` have passed.
   * @returns {() => void} to be called where that is not wanted any more
   */
  over(act, leastMs = 0) {
    const timer = { act, leastMs, begun: performance.now(), id: undefined };
    timer.id = setTimeout(() => this.#fire(timer), Math.max(this.ms, leastMs));
    this.#timers.add(timer);
    return () => {
      clearTimeout(timer.id);
      this.#timers.delete(timer);
    };
  }

  /** From now on it is no more than so long. */
  shorten(ms) {
    if (ms >= this.ms) return;
    this.ms = ms;
    for (const timer of this.#timers) {
      clearTimeout(timer.id);
      timer.id = setTimeout(() => this.#fire(timer), Math.max(ms, timer.leastMs - (performance.now() - timer.begun)));
    }
  }

  #fire(timer) {
    this.#timers.delete(timer);
    timer.act();
  }
}

/** One server from its first connection on. Create it before the server listens. */
class ServerDrain {
  #server;
  #closes;
  #connections = new Set();
  /** Connections that have come in and are not yet what HTTP is spoken on. */
  #handshakes = 0;
  #whenEmpty = null;
  /** What each connection had read and written when it was last looked at. */
  #bytes = new WeakMap();
  #putOff = 0;

  /**
   * @param {import('http').Server | import('https').Server} server
   * @param {object} [options]
   * @param {boolean} [options.closes] false where somebody else closes it
   */
  constructor(server, { closes = true } = {}) {
    this.#server = server;
    this.#closes = closes;
    // What HTTP is spoken on: with TLS that is not the connection itself, and comes after it or never.
    const isSecure = server instanceof https.Server;
    if (isSecure) {
      server.on('connection', () => { this.#handshakes += 1; });
      server.on('tlsClientError', () => this.#endHandshake());
    }
    const connections = this.#connections;
    const look = () => this.#look();
    // One function for all of them: it is added to every connection, and costs no more than its place in a list.
    function noteClose() {
      connections.delete(this);
      if (connections.size === 0) look();
    }
    server.on(isSecure ? 'secureConnection' : 'connection', socket => {
      connections.add(socket);
      if (isSecure) this.#endHandshake();
      socket.on('close', noteClose);
    });
  }

  get server() {
    return this.#server;
  }

  #endHandshake() {
    this.#handshakes -= 1;
    this.#look();
  }

  #look() {
    if (this.#connections.size === 0 && this.#handshakes <= 0) this.#whenEmpty?.();
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
    if (this.#closes && this.#server.listening) net.Server.prototype.close.call(this.#server);
  }

  /**
   * Resolves when all connections have ended.
   * @param {Linger} linger how long those that are idle are kept
   */
  async whenEmpty(linger) {
    if (this.#connections.size === 0 && this.#handshakes <= 0) return;
    // Again and again: an answer whose head went out before it could say that it is the last leaves its connection idle.
    this.#wereUsed();
    let again;
    const noIdle = linger.over(() => {
      again = setInterval(() => this.#closeIdle(), Math.max(Math.min(linger.ms, LOOK_AGAIN_MS), LEAST_LINGER_MS));
      this.#closeIdle();
    }, LEAST_LINGER_MS);
    const noSilent = linger.over(() => this.#closeSilent(), SILENT_LINGER_MS);
    await new Promise(resolve => { this.#whenEmpty = resolve; });
    clearInterval(again);
    noIdle();
    noSilent();
  }

  /** Whether any connection that is idle now has been used since the last time. */
  #wereUsed() {
    let used = false;
    for (const socket of this.#connections) {
      const bytes = socket.bytesRead + socket.bytesWritten;
      used ||= this.#bytes.get(socket) !== bytes && !socket._httpMessage;
      this.#bytes.set(socket, bytes);
    }
    return used;
  }

  #closeIdle() {
    if (this.#wereUsed() && this.#putOff < MAX_PUT_OFF) this.#putOff += 1;
    else this.#server.closeIdleConnections();
  }

  #closeSilent() {
    for (const socket of this.#connections) {
      if (socket.bytesRead === 0) socket.destroy();
    }
    // Who has not come to an end with its handshake by now is not waited for.
    this.#handshakes = 0;
    this.#look();
  }
}

/**
 * Resolves once the master hands no more connections to this worker and all those that it did hand over have come in.
 * @returns {Promise<boolean>} true where others serve already, and nobody waits for the end of this one
 */
function endOfDealing(proc) {
  if (!proc.connected) return Promise.resolve(false);
  return new Promise(resolve => {
    const settle = isLeisurely => {
      clearTimeout(timer);
      proc.removeListener('internalMessage', listener);
      proc.removeListener('disconnect', giveUp);
      resolve(isLeisurely);
    };
    const giveUp = () => settle(false);
    const listener = message => {
      if (says(message, 'drained')) settle(message.leisurely === true);
    };
    const timer = setTimeout(giveUp, MASTER_ANSWER_MS);
    proc.on('internalMessage', listener);
    proc.once('disconnect', giveUp);
    proc.send(wordOf('drain'), undefined, undefined, () => {});
  });
}

/** Calls `act` when the master says later that this worker's end is waited for after all: a stop has begun. */
function atEndOfLeisure(proc, act) {
  const listener = message => {
    if (says(message, 'drained') && message.leisurely !== true) act();
  };
  proc.on('internalMessage', listener);
  return () => proc.removeListener('internalMessage', listener);
}

/**
 * @param {Drain[]} servers
 * @param {object} options
 * @param {number} options.limitMs after so many milliseconds, whatever is still under way is left to its fate
 * @param {number} [options.lingerMs] how long idle connections are kept; by default it depends on who waits
 * @param {NodeJS.Process} [options.proc]
 */
async function drainServers(servers, { limitMs, lingerMs: wanted, proc = process }) {
  if (servers.length === 0) return;
  for (const server of servers) server.announce();
  const isLeisurely = await endOfDealing(proc);
  const linger = new Linger(wanted ?? (isLeisurely ? Math.min(LEISURELY_LINGER_MS, limitMs * LEISURE_SHARE) : SWIFT_LINGER_MS));
  const noHurry = wanted === undefined && isLeisurely ? atEndOfLeisure(proc, () => linger.shorten(SWIFT_LINGER_MS)) : () => {};
  for (const server of servers) server.stopListening();
  let timer;
  const limit = new Promise(resolve => { timer = setTimeout(resolve, limitMs); });
  await Promise.race([limit, Promise.all(servers.map(server => server.whenEmpty(linger)))]);
  clearTimeout(timer);
  noHurry();
}

module.exports = { ServerDrain, drainServers };
