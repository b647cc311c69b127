'use strict';
// egg-socket.io: a client over websocket stays with the app worker that it came to; one over polling has many connections, all of
// which must come to the same worker, and that is what `sticky` is for.

const assert = require('node:assert/strict');
const http = require('node:http');
const path = require('node:path');
const { createRequire } = require('node:module');
const { startCluster } = require('../helpers/cluster');
const { freePort } = require('../helpers/free_port');
const { Waiting } = require('../helpers/waiting');
const { egg3App, INSTALL_LIMIT_MS } = require('./egg3_tools');

// The whole of 127.0.0.0/8 is this machine's, so each of these is a client of its own.
const CLIENTS = Array.from({ length: 8 }, (_, number) => `127.0.0.${number + 1}`);

/** The app's own client of socket.io, kept from the global WebSocket of Node 22 and later: that one takes no address to come from. */
function loadClient(baseDir) {
  const ofNode = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
  delete globalThis.WebSocket;
  try {
    return createRequire(path.join(baseDir, 'package.json'))('socket.io-client');
  } finally {
    if (ofNode) Object.defineProperty(globalThis, 'WebSocket', ofNode);
  }
}

/** A client of socket.io at one address of this machine. */
class Client {
  constructor(connect, port, localAddress, transports) {
    this.events = [];
    this.echoed = [];
    this.waiting = new Waiting(() => `${localAddress} by ${transports}: ${this.events.join(', ')}`);
    const agent = new http.Agent({ localAddress });
    this.socket = connect(`http://127.0.0.1:${port}`, { transports, agent, forceNew: true, reconnection: false });
    for (const name of ['connect', 'connect_error', 'error', 'disconnect']) this.socket.on(name, () => this.happened(name));
    this.socket.io.engine.on('upgrade', ({ name }) => this.happened(`upgrade ${name}`));
    this.socket.io.engine.on('upgradeError', error => this.happened(`upgradeError ${error}`));
    this.socket.on('echoed', data => {
      this.echoed.push(data);
      this.waiting.look();
    });
  }

  happened(what) {
    this.events.push(what);
    this.waiting.look();
  }

  event(what) {
    return this.waiting.for(() => this.events.includes(what), { what });
  }

  /** Resolves to the pid of the worker that answers. */
  async echo(text) {
    this.socket.emit('echo', text);
    const { pid } = await this.waiting.for(() => this.echoed.find(data => data.text === text), { what: `the echo of ${text}` });
    return pid;
  }
}

describe('egg-socket.io', () => {
  let app;
  let connect;
  let clients = [];

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    app = await egg3App('egg3_tools');
    connect = loadClient(app.baseDir);
  });
  afterEach(() => {
    for (const { socket } of clients) socket.close();
    clients = [];
  });

  async function start(options) {
    const cluster = startCluster({ baseDir: app.baseDir, workers: 2, env: 'prod', port: await freePort(), ...options }, { entry: app.entry });
    await cluster.ready();
    return cluster;
  }

  function client(cluster, address, transports) {
    const it = new Client(connect, cluster.options.port, address, transports);
    clients.push(it);
    return it;
  }

  /** Asserts that each client is served by one worker, and that both workers serve. */
  async function assertAtHome(cluster) {
    const homes = await Promise.all(clients.map(async it => {
      const pids = [];
      for (const text of ['one', 'two', 'three']) pids.push(await it.echo(text));
      assert.equal(new Set(pids).size, 1);
      return pids[0];
    }));
    assert.deepEqual([...new Set(homes)].sort(), cluster.appPids().sort());
  }

  it('serves clients over websocket by all workers, and lets them be connected when the cluster stops', async () => {
    const cluster = await start();
    for (const address of CLIENTS) await client(cluster, address, ['websocket']).event('connect');
    await assertAtHome(cluster);
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
    await Promise.all(clients.map(it => it.event('disconnect')));
    assert.equal(cluster.stderr, '');
  });

  it('serves each client of a sticky cluster by one worker, over polling and when it changes to websocket', async () => {
    const cluster = await start({ sticky: true });
    for (const [transports, event] of [[['polling'], 'connect'], [['polling', 'websocket'], 'upgrade websocket']]) {
      await Promise.all(CLIENTS.map(address => client(cluster, address, transports).event(event)));
    }
    await assertAtHome(cluster);
  });
});
