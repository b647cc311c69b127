'use strict';
// A worker that closes a server and listens again on the same port, while others serve there: nobody notices, and it gets its share again.

const assert = require('node:assert/strict');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { freePort } = require('../helpers/free_port');
const { order } = require('../helpers/orders');
const { Traffic } = require('../helpers/traffic');
const { until } = require('../helpers/waiting');

const WORKERS = 3;
const TIMES = 4;

for (const balance of ['least-busy', 'round-robin', 'kernel']) {
  describe(`a worker that closes its server and listens again, by ${balance}`, () => {
    let cluster;
    let ports;
    let pids;

    before(async () => {
      cluster = await startFolder('listens_on_order', { balance, workers: WORKERS });
      const { port } = await cluster.ready();
      await started(cluster, WORKERS - 1);
      pids = startedPids(cluster);
      ports = { own: port, extra: await freePort() };
      for (const pid of pids) await order(cluster, pid, 'listen', { name: 'extra', options: { port: ports.extra } });
    });
    after(() => cluster.stop());

    for (const name of ['own', 'extra']) {
      it(`is reached again, and nothing is lost: ${name === 'own' ? 'its own port' : 'another port'}`, async () => {
        const port = ports[name];
        const traffic = new Traffic(port, { clients: 6 });
        const [leaver] = pids;
        for (let time = 0; time < TIMES; time++) {
          await order(cluster, leaver, 'close', name);
          const closed = traffic.results.length;
          const others = () => traffic.results.slice(closed).filter(({ body }) => pids.slice(1).includes(Number(body)));
          await until(() => others().length > 10 || traffic.stopping, 'answers of the others');
          assert.equal((await order(cluster, leaver, 'listenAgain', { name, options: { port } })).port, port);
          const again = traffic.results.length;
          const its = () => traffic.results.slice(again).some(({ body }) => body === String(leaver));
          await until(() => its() || traffic.stopping, 'an answer of the one that listens again');
        }
        await traffic.stop();
        assert.deepEqual(traffic.failures, []);
      });
    }
  });
}
