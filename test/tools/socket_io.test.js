'use strict';
// Socket.IO over Express in the app workers.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { createRequire } = require('node:module');
const { once } = require('node:events');
const { startCluster } = require('../helpers/cluster');
const { APPS } = require('../helpers/folder_cluster');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { npmFolder } = require('../helpers/npm_folder');
const { runFolder } = require('../helpers/run_folder');
const { Waiting } = require('../helpers/waiting');

const INSTALL_LIMIT_MS = 300000;
const PACKAGES = { 'express': '^5', 'socket.io': '^4', 'socket.io-client': '^4' };
// The whole of 127.0.0.0/8 is this machine's, so each of these addresses is a client.
const CLIENTS = Array.from({ length: 12 }, (_, number) => `127.0.0.${number + 1}`);

describe('Socket.IO', () => {
  let baseDir;
  let connectTo;
  const open = new Set();

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    const folder = await npmFolder('socket.io^4', () => JSON.stringify({ private: true, dependencies: PACKAGES }));
    baseDir = path.join(runFolder(), 'socket_io');
    fs.cpSync(path.join(APPS, 'socket_io'), baseDir, { recursive: true });
    fs.symlinkSync(path.join(folder, 'node_modules'), path.join(baseDir, 'node_modules'));
    connectTo = createRequire(path.join(baseDir, 'app.js'))('socket.io-client').io;
  });
  afterEach(() => {
    for (const socket of open) socket.close();
    open.clear();
  });

  async function start(options) {
    const cluster = startCluster({ baseDir, workers: 2, env: 'prod', port: await freePort(), ...options });
    await cluster.ready();
    return cluster;
  }

  /** A client at its own address, whose requests each have a connection of their own. Resolves when it is connected. */
  async function connect(cluster, transports, localAddress = '127.0.0.1') {
    const agent = new http.Agent({ localAddress });
    const socket = connectTo(`http://127.0.0.1:${cluster.options.port}`,
      { transports, agent, forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 100 });
    open.add(socket);
    socket.said = [];
    socket.errors = [];
    socket.waiting = new Waiting(() => `errors: ${socket.errors}\n${cluster.describe()}`);
    socket.on('connect_error', error => {
      socket.errors.push(error.message);
      socket.waiting.look();
    });
    socket.on('said', text => {
      socket.said.push(text);
      socket.waiting.look();
    });
    socket.on('connect', () => socket.waiting.look());
    await socket.waiting.for(() => socket.connected, { what: `a connection of ${localAddress} by ${transports}` });
    return socket;
  }

  const ask = (socket, question) => socket.timeout(10000).emitWithAck('ask', question);

  /** Asserts that one worker answers all that a socket asks; resolves to its pid. */
  async function assertOneWorker(socket) {
    const answers = [];
    for (let question = 0; question < 5; question++) answers.push(await ask(socket, question));
    assert.deepEqual(answers.map(({ question }) => question), [0, 1, 2, 3, 4]);
    assert.equal(new Set(answers.map(({ pid }) => pid)).size, 1);
    assert.deepEqual(socket.errors, []);
    return answers[0].pid;
  }

  async function assertSaidToAll(sockets, text) {
    sockets[0].emit('say', text);
    for (const socket of sockets) await socket.waiting.for(() => socket.said.includes(text), { what: `'${text}'` });
  }

  describe('in a sticky cluster', () => {
    let cluster;

    before(async () => { cluster = await start({ sticky: true }); });
    after(() => cluster.stop());

    for (const transports of [['polling'], ['polling', 'websocket'], ['websocket']]) {
      it(`keeps every client with one worker, and reaches all of them, by ${transports.join(' and then ')}`, async () => {
        const sockets = await Promise.all(CLIENTS.map(client => connect(cluster, transports, client)));
        if (transports.length > 1) {
          for (const { io: { engine } } of sockets) {
            if (engine.transport.name !== 'websocket') await once(engine, 'upgrade');
          }
        }
        const pids = new Set(await Promise.all(sockets.map(assertOneWorker)));
        assert.deepEqual([...pids].sort(), cluster.appPids().sort());
        assert.equal((await ask(sockets[0], 'how')).transport, transports.at(-1));
        await assertSaidToAll(sockets, `hello by ${transports}`);
      });
    }

    it('connects the clients of a killed worker to its successor, and others notice nothing', async () => {
      const sockets = await Promise.all(CLIENTS.map(client => connect(cluster, ['websocket'], client)));
      const pids = await Promise.all(sockets.map(assertOneWorker));
      const [killed] = pids;
      const left = sockets.filter((_, index) => pids[index] === killed);
      const gone = Promise.all(left.map(socket => once(socket, 'disconnect')));
      process.kill(killed, 'SIGKILL');
      await gone;
      for (const socket of left) await socket.waiting.for(() => socket.connected, { what: 'the next connection' });
      const others = sockets.filter(socket => !left.includes(socket));
      assert.deepEqual(new Set(await Promise.all(others.map(assertOneWorker))), new Set(pids.filter(pid => pid !== killed)));
      for (const socket of left) assert.notEqual((await ask(socket, 'who')).pid, killed);
      await assertSaidToAll(sockets, 'hello again');
    });
  });

  describe('in a cluster that deals connections in turn', () => {
    it('works by websocket alone, and Express serves beside it', async () => {
      const cluster = await start();
      const sockets = await Promise.all(Array.from({ length: 6 }, () => connect(cluster, ['websocket'])));
      const pids = new Set(await Promise.all(sockets.map(assertOneWorker)));
      assert.deepEqual([...pids].sort(), cluster.appPids().sort());
      await assertSaidToAll(sockets, 'hello');
      assert.ok(pids.has((await getJson(cluster.options.port)).pid));
      // Sockets that stay open have their time, and then the cluster ends.
      assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
    });
  });
});
