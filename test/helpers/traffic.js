'use strict';
// Clients that do not stop asking, each request on a fresh connection, and the account of what became of each.

const fs = require('node:fs');
const net = require('node:net');
const { Hands } = require('./hands');

const WATCHDOG_MS = 30000;
const NEVER = ['HUNG', 'ECONNREFUSED'];

/**
 * One request, from `localAddress`, if given. Resolves, never rejects, to { localAddress, localPort, body, from, to } or with error for
 * body; `from` and `to` are its beginning and its end, by process.hrtime.
 */
function askOnce(port, path, { localAddress } = {}) {
  return new Promise(resolve => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress });
    const result = { localAddress: localAddress ?? '127.0.0.1', localPort: undefined, from: process.hrtime.bigint() };
    let text = '';
    const end = outcome => {
      clearTimeout(watchdog);
      socket.destroy();
      resolve(Object.assign(result, outcome, { to: process.hrtime.bigint() }));
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

class Traffic {
  /** Starts at once: `clients` at a time, each asking for the `paths` in turn, and each from one of the `addresses`, if given. */
  constructor(port, { clients = 4, paths = ['/'], addresses = [undefined] } = {}) {
    this.results = [];
    /** When which process was killed. */
    this.kills = new Map();
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

  /** Kills a worker without any warning, and remembers when: it may do something until kill(2) has returned. */
  kill(pid) {
    const earliest = process.hrtime.bigint();
    process.kill(pid, 'SIGKILL');
    this.kills.set(pid, { earliest, latest: process.hrtime.bigint() });
  }

  /**
   * The failures that have no excuse. The only one is that the connection was in the hands of one of `victims` when that was killed: it had
   * said so (test/fixtures/orders/hands.js) during the request, and was killed during it; who is dead says nothing. Of those that
   * a victim had taken and could not tell of any more, the number is known, and as many are excused that were under way at its end.
   * When a victim was killed is only known where kill() did it. Nobody is ever refused or left hanging.
   */
  unexcused({ stdout, handsFile }, victims) {
    const hands = new Hands(handsFile ? fs.readFileSync(handsFile, 'utf8') : stdout);
    const wasAlive = (pid, { from, to }) => {
      const kill = this.kills.get(pid);
      return kill === undefined || (kill.latest >= from && kill.earliest <= to);
    };
    const had = (pid, failure) => wasAlive(pid, failure) && hands.had(pid, failure, failure.from, failure.to);
    const left = new Map(victims.map(pid => [pid, hands.unsaid(pid)]));
    return this.failures.filter(failure => {
      if (NEVER.includes(failure.error)) return true;
      if (victims.some(pid => had(pid, failure))) return false;
      const other = victims.find(pid => left.get(pid) > 0 && wasAlive(pid, failure));
      if (other !== undefined) left.set(other, left.get(other) - 1);
      return other === undefined;
    });
  }
}

module.exports = { Traffic, askOnce };
