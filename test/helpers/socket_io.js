'use strict';
// The app of test/fixtures/apps/socket_io with Socket.IO as npm has it, and clients of it.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { createRequire } = require('node:module');
const { once } = require('node:events');
const { startCluster } = require('./cluster');
const { APPS, started, startedPids } = require('./folder_cluster');
const { freePort } = require('./free_port');
const { npmFolder } = require('./npm_folder');
const { runFolder } = require('./run_folder');
const { Waiting } = require('./waiting');

const INSTALL_LIMIT_MS = 300000;
const PACKAGES = { 'express': '^5', 'socket.io': '^4', 'socket.io-client': '^4' };

class SocketIo {
  #baseDir;
  #connectTo;
  #open = new Set();

  /** @returns {Promise<SocketIo>} with the packages installed, which may take INSTALL_LIMIT_MS the first time */
  static async install() {
    const app = new SocketIo();
    const folder = await npmFolder('socket.io^4', () => JSON.stringify({ private: true, dependencies: PACKAGES }));
    app.#baseDir = fs.mkdtempSync(path.join(runFolder(), 'socket_io-'));
    fs.cpSync(path.join(APPS, 'socket_io'), app.#baseDir, { recursive: true });
    fs.symlinkSync(path.join(folder, 'node_modules'), path.join(app.#baseDir, 'node_modules'));
    app.#connectTo = createRequire(path.join(app.#baseDir, 'app.js'))('socket.io-client').io;
    return app;
  }

  async start(options) {
    const cluster = startCluster({ baseDir: this.#baseDir, workers: 2, env: 'prod', port: await freePort(), ...options });
    await cluster.ready();
    return cluster;
  }

  /**
   * A client at its own address, whose requests each have a connection of their own; `port` is the cluster's, if not given. Resolves when
   * it is connected.
   */
  async connect(cluster, transports, { localAddress = '127.0.0.1', port = cluster.options.port, extraHeaders } = {}) {
    const agent = new http.Agent({ localAddress });
    const socket = this.#connectTo(`http://127.0.0.1:${port}`,
      { transports, agent, extraHeaders, forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 100 });
    this.#open.add(socket);
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

  close() {
    for (const socket of this.#open) socket.close();
    this.#open.clear();
  }
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

/** Resolves when they have changed to websocket, where they begin by polling. */
async function upgraded(sockets) {
  for (const { io: { engine } } of sockets) {
    if (engine.transport.name !== 'websocket') await once(engine, 'upgrade');
  }
}

/** Asks until there is an answer: who polls while the place of its worker is filled again is shown out a second time. */
async function askAgain(socket, question) {
  for (;;) {
    await socket.waiting.for(() => socket.connected, { what: 'the next connection' });
    const answer = await ask(socket, question).catch(error => {
      if (!/disconnected/.test(error.message)) throw error;
    });
    if (answer) return answer;
  }
}

/** Kills the first socket's worker: its clients are connected to another one, and the others notice nothing. */
async function assertKillMovesOnly(cluster, sockets) {
  const startedBefore = startedPids(cluster).length;
  const pids = await Promise.all(sockets.map(assertOneWorker));
  const [killed] = pids;
  const left = sockets.filter((_, index) => pids[index] === killed);
  const gone = Promise.all(left.map(socket => once(socket, 'disconnect')));
  process.kill(killed, 'SIGKILL');
  await gone;
  await started(cluster, startedBefore);
  const others = sockets.filter(socket => !left.includes(socket));
  assert.deepEqual(await Promise.all(others.map(assertOneWorker)), pids.filter(pid => pid !== killed));
  for (const socket of left) assert.notEqual((await askAgain(socket, 'who')).pid, killed);
  await assertSaidToAll(sockets, 'hello again');
}

module.exports = { SocketIo, INSTALL_LIMIT_MS, ask, assertOneWorker, assertSaidToAll, assertKillMovesOnly, upgraded };
