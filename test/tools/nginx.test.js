'use strict';
// Socket.IO behind a real nginx: to the cluster all clients come from one address, and every request by a connection of its own. So
// something in the request must keep a client's requests together.

const assert = require('node:assert/strict');
const { startNginx } = require('../helpers/nginx');
const { until } = require('../helpers/waiting');
const { SocketIo, INSTALL_LIMIT_MS, ask, assertKillMovesOnly, assertOneWorker, assertSaidToAll, upgraded } = require('../helpers/socket_io');

const NUMBERS = Array.from({ length: 12 }, (_, number) => number + 1);

// By what clients are known, and what makes one of them.
const KINDS = {
  'the header in which nginx names the address': { by: { header: 'x-real-ip' }, client: number => ({ localAddress: `127.0.0.${number}` }) },
  'a cookie': { by: { cookie: 'sid' }, client: number => ({ extraHeaders: { cookie: `theme=dark; sid=${number}` } }) },
};

describe('Socket.IO behind nginx', () => {
  let app;

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    app = await SocketIo.install();
  });

  for (const [kind, { by, client }] of Object.entries(KINDS)) {
    describe(`in a cluster that is sticky by ${kind}`, () => {
      let cluster;
      let nginx;

      before(async () => {
        cluster = await app.start({ workers: 3, sticky: { by } });
        nginx = await startNginx(cluster.options.port);
      });
      afterEach(() => app.close());
      after(async () => {
        await nginx?.stop();
        await cluster?.stop();
      });

      const connect = (number, transports) => app.connect(cluster, transports, { ...client(number), port: nginx.port });
      const connectAll = transports => Promise.all(NUMBERS.map(number => connect(number, transports)));

      for (const transports of [['polling'], ['polling', 'websocket'], ['websocket']]) {
        it(`keeps every client with one worker by ${transports.join(' and then ')}`, async () => {
          if (!nginx) return;
          const sockets = await connectAll(transports);
          if (transports.length > 1) await upgraded(sockets);
          const pids = new Set(await Promise.all(sockets.map(assertOneWorker)));
          assert.deepEqual([...pids].sort(), cluster.appPids().sort());
          assert.equal((await ask(sockets[0], 'how')).transport, transports.at(-1));
          await assertSaidToAll(sockets, `hello by ${transports}`);
        });
      }

      for (const transports of [['polling'], ['websocket']]) {
        it(`moves only the clients of a worker that is killed, by ${transports}`, async () => {
          if (!nginx) return;
          await assertKillMovesOnly(cluster, await connectAll(transports));
          await until(() => cluster.appPids().length === 3, 'three workers');
        });
      }
    });
  }
});
