'use strict';
// Clients that do not stop asking, each request on a fresh connection, and the account of what became of each.

const net = require('node:net');

const WATCHDOG_MS = 15000;
const NEVER = ['HUNG', 'ECONNREFUSED'];

/** One request, from `localAddress`, if given. Resolves, never rejects, to { localAddress, localPort, body } or with error for body. */
function askOnce(port, path, { localAddress } = {}) {
  return new Promise(resolve => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress });
    const result = { localAddress, localPort: undefined };
    let text = '';
    const end = outcome => {
      clearTimeout(watchdog);
      socket.destroy();
      resolve(Object.assign(result, outcome));
    };
    const watchdog = setTimeout(() => end({ error: 'HUNG' }), WATCHDOG_MS);
    socket.setEncoding('utf8');
    socket.on('connect', () => {
      result.localPort = socket.localPort;
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    });
    socket.on('data', data => { text += data; });
    socket.on('end', () => {
      const [head, body] = text.split('\r\n\r\n');
      end(head.startsWith('HTTP/1.1 200 ') && body !== undefined ? { body } : { error: `CUT after '${text}'` });
    });
    socket.on('error', error => end({ error: error.code ?? error.message }));
  });
}

// How many connections one record of a lane brings.
const MOST_AT_ONCE = 8;

class Traffic {
  /** Starts at once: `clients` at a time, each asking for the `paths` in turn, and each from one of the `addresses`, if given. */
  constructor(port, { clients = 4, paths = ['/'], addresses = [undefined] } = {}) {
    this.results = [];
    this.stopping = false;
    this.loops = Array.from({ length: clients }, async (_, client) => {
      const from = { localAddress: addresses[client % addresses.length] };
      for (let turn = client; !this.stopping; turn += 1) this.take(await askOnce(port, paths[turn % paths.length], from));
    });
  }

  take(result) {
    this.results.push(result);
    // No test allows these, and going on would only hide how it began.
    if (NEVER.includes(result.error)) this.stopping = true;
  }

  get answered() {
    return this.results.filter(result => result.error === undefined).length;
  }

  get failures() {
    return this.results.filter(result => result.error !== undefined);
  }

  /** Resolves when every request has its end. */
  async stop() {
    this.stopping = true;
    await Promise.all(this.loops);
    return this;
  }

  /**
   * The failures of connections that were not in the hands of one of `victims` (see test/fixtures/orders/hands.js); those that were
   * may have been cut with their worker, but neither refused nor left hanging. A worker takes a few from its lane by one call, and
   * may be killed before it has said so: one for each victim, on average.
   */
  unexcused(cluster, victims) {
    const hands = new Set();
    for (const [, pid, localPort] of cluster.stdout.matchAll(/^hand (\d+) (\d+)$/gm)) {
      if (victims.includes(Number(pid))) hands.add(Number(localPort));
    }
    const unsaid = this.failures.filter(({ localPort, error }) => !hands.has(localPort) && !NEVER.includes(error));
    const never = this.failures.filter(({ error }) => NEVER.includes(error));
    return unsaid.length <= Math.max(MOST_AT_ONCE, victims.length) ? never : [...never, ...unsaid];
  }
}

module.exports = { Traffic, askOnce };
