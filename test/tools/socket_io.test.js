'use strict';
// Socket.IO over Express in the app workers.

const assert = require('node:assert/strict');
const { getJson } = require('../helpers/http_client');
const { SocketIo, INSTALL_LIMIT_MS, ask, assertKillMovesOnly, assertOneWorker, assertSaidToAll, upgraded } = require('../helpers/socket_io');

// The whole of 127.0.0.0/8 is this machine's, so each of these addresses is a client.
const CLIENTS = Array.from({ length: 12 }, (_, number) => ({ localAddress: `127.0.0.${number + 1}` }));

describe('Socket.IO', () => {
  let app;

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    app = await SocketIo.install();
  });
  afterEach(() => app.close());

  describe('in a sticky cluster', () => {
    let cluster;

    before(async () => { cluster = await app.start({ sticky: true }); });
    after(() => cluster.stop());

    for (const transports of [['polling'], ['polling', 'websocket'], ['websocket']]) {
      it(`keeps every client with one worker, and reaches all of them, by ${transports.join(' and then ')}`, async () => {
        const sockets = await Promise.all(CLIENTS.map(client => app.connect(cluster, transports, client)));
        if (transports.length > 1) await upgraded(sockets);
        const pids = new Set(await Promise.all(sockets.map(assertOneWorker)));
        assert.deepEqual([...pids].sort(), cluster.appPids().sort());
        assert.equal((await ask(sockets[0], 'how')).transport, transports.at(-1));
        await assertSaidToAll(sockets, `hello by ${transports}`);
      });
    }

    it('connects the clients of a killed worker to its successor, and others notice nothing', async () => {
      await assertKillMovesOnly(cluster, await Promise.all(CLIENTS.map(client => app.connect(cluster, ['websocket'], client))));
    });
  });

  describe('in a cluster that deals connections in turn', () => {
    it('works by websocket alone, and Express serves beside it', async () => {
      const cluster = await app.start();
      const sockets = await Promise.all(Array.from({ length: 6 }, () => app.connect(cluster, ['websocket'])));
      const pids = new Set(await Promise.all(sockets.map(assertOneWorker)));
      assert.deepEqual([...pids].sort(), cluster.appPids().sort());
      await assertSaidToAll(sockets, 'hello');
      assert.ok(pids.has((await getJson(cluster.options.port)).pid));
      // Sockets that stay open have their time, and then the cluster ends.
      assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
    });
  });
});
