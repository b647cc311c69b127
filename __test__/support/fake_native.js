'use strict';

// The addon as lib/master.js sees it, and the process it would run in. Both only write down what happens to them.

const { EventEmitter } = require('events');
const { setImmediate: nextTurn } = require('timers/promises');

const { Master } = require('../../lib/master');
const { MasterTransport } = require('../../lib/master/endpoint');
const { Messenger } = require('../../lib/messenger');

class FakeCluster {
  static last = null;
  /** Set to make the constructor or a method throw. */
  static broken = {};

  constructor(config, onEvent) {
    if (FakeCluster.broken.constructor !== Object) throw FakeCluster.broken.constructor;
    FakeCluster.last = this;
    this.config = config;
    this.calls = [];
    this.event = fields => onEvent(JSON.stringify(fields));
  }

  #record(name, ...args) {
    this.calls.push([name, ...args]);
    if (Object.hasOwn(FakeCluster.broken, name)) throw FakeCluster.broken[name];
  }

  start() { this.#record('start'); }
  stop(...args) { this.#record('stop', ...args); }
  deliver(...args) { this.#record('deliver', ...args); }
  log(...args) { this.#record('log', ...args); }
  request(...args) { this.#record('request', ...args); }
  upgrade(...args) { this.#record('upgrade', ...args); }
  setEnvironment(...args) { this.#record('setEnvironment', ...args); }
  watchSignals() {}
  endHeard() { this.#record('endHeard'); }
  exiting(...args) { this.#record('exiting', ...args); }
  status() { this.#record('status'); return JSON.stringify({ pid: 1, ready: true, workers: [], spares: [], droppedMessages: 2 }); }

  of(name) { return this.calls.filter(call => call[0] === name).map(call => call.slice(1)); }
}

class FakeProcess extends EventEmitter {
  pid = 4711;
  execPath = '/usr/bin/node';
  execArgv = ['--no-warnings'];
  argv0 = 'start';
  argv = ['/usr/bin/node', '/srv/start.js', '{}'];
  debugPort = 9229;
  // Before Node had a cache of what it compiles, so that the environment is what a test says.
  versions = { node: '20.0.0' };
  getuid = () => 0;
  connected = false;
  exits = [];
  sent = [];

  constructor(env = {}) {
    super();
    this.env = env;
  }

  cwd() { return '/srv'; }

  exit(code) { this.exits.push(code); }

  connect(send = (message, _handle, _options, callback) => { this.sent.push(message); callback(null); }) {
    this.connected = true;
    this.send = send;
  }

  /** How many listeners of each event there are. */
  listeners_() {
    return Object.fromEntries(this.eventNames().map(name => [name, this.listenerCount(name)]));
  }
}

/** The parts of a Master for a test. */
function parts({ env, ports = [4001] } = {}) {
  FakeCluster.last = null;
  FakeCluster.broken = {};
  const transport = new MasterTransport(4711);
  const endpoint = { transport, messenger: new Messenger(transport) };
  return {
    proc: new FakeProcess(env),
    loadNative: () => ({ Cluster: FakeCluster }),
    findFreePort: async () => ports.shift(),
    masterEndpoint: () => endpoint,
  };
}

/** Starts a master on the fake addon, up to the moment where it has forked. */
async function boot(options, given = parts()) {
  const master = new Master({ workers: 2, ...options }, given);
  const ready = master.ready();
  ready.catch(() => {});
  while (!FakeCluster.last?.of('start').length) await Promise.race([nextTurn(), ready]);
  return { master, ready, native: FakeCluster.last, proc: given.proc, parts: given };
}

async function booted(options, given) {
  const running = await boot(options, given);
  running.native.event({ type: 'ready', address: 'http://127.0.0.1:7001', toParent: { action: 'egg-ready' } });
  return { ...running, cluster: await running.ready };
}

module.exports = { FakeCluster, FakeProcess, parts, boot, booted };
