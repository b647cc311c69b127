'use strict';
// No descriptors left, in the master or in a worker: connections wait or go elsewhere, nobody spins, and all is well again when
// there are some.

const assert = require('node:assert/strict');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { attempt, order, tell } = require('../helpers/orders');
const { connections, limitDescriptors } = require('../helpers/resources');
const { connectionsTo } = require('../helpers/tcp_table');
const { askOnce } = require('../helpers/traffic');
const { until } = require('../helpers/waiting');

// Less than any process of the cluster has open: nothing can be opened any more.
const FEW = 10;

const ask = (port, times) => Promise.all(Array.from({ length: times }, () => askOnce(port, '/')));

describe('a master that has no descriptors left', () => {
  let cluster;
  let port;

  before(async () => {
    cluster = await startFolder('writes_junk');
    ({ port } = await cluster.ready());
    await started(cluster, 1);
  });
  after(() => cluster.stop());

  it('leaves connections in the backlog, and answers them when there are descriptors again', async () => {
    const limit = limitDescriptors(cluster.pid, FEW);
    const asked = ask(port, 20);
    await cluster.output(/\[master\] accepting connections rests: accept4: EMFILE/);
    limitDescriptors(cluster.pid, limit);
    assert.deepEqual((await asked).filter(({ error }) => error), []);
    assert.equal([...cluster.stdout.matchAll(/accepting connections rests/g)].length, 1);
    await until(() => connections(cluster.pid) === 0, 'the master has let go of all connections');
  });

  it('passes a message on whose handle it cannot take', async () => {
    const [pid] = startedPids(cluster);
    const limit = limitDescriptors(cluster.pid, FEW);
    tell(cluster, pid, 'sendServer', { to: 'parent', action: 'with-server' });
    await cluster.message('with-server');
    limitDescriptors(cluster.pid, limit);
    await order(cluster, pid, 'round');
  });
});

describe('a worker that has no descriptors left', () => {
  it('gets no connection that another one can take', async () => {
    const cluster = await startFolder('writes_junk');
    const { port } = await cluster.ready();
    await started(cluster, 1);
    const [poor, rich] = startedPids(cluster);
    const limit = limitDescriptors(poor, FEW);
    const answers = await ask(port, 20);
    assert.deepEqual(answers.map(({ body, error }) => error ?? Number(body)), new Array(20).fill(rich));
    limitDescriptors(poor, limit);
    await until(async () => (await askOnce(port, '/')).body === String(poor), 'the poor one serves again');
  });

  it('answers when it can where nobody else can take a connection', async () => {
    const cluster = await startFolder('writes_junk', { workers: 1 });
    const { port } = await cluster.ready();
    const [poor] = startedPids(cluster);
    const limit = limitDescriptors(poor, FEW);
    const asked = ask(port, 5);
    await until(() => connectionsTo(port) === 5, 'all are accepted');
    limitDescriptors(poor, limit);
    assert.deepEqual((await asked).map(({ body, error }) => error ?? Number(body)), new Array(5).fill(poor));
    await until(() => [cluster.pid, poor].every(pid => connections(pid) === 0), 'nobody holds one any more');
  });

  it("is asked again in a while by Node's channel, too", async () => {
    const cluster = await startFolder('writes_junk', { workers: 1 }, { env: { EGG_CLUTCH_LANES: 'off' } });
    const { port } = await cluster.ready();
    const [poor] = startedPids(cluster);
    const limit = limitDescriptors(poor, FEW);
    const began = Date.now();
    const asked = ask(port, 5);
    const lost = () => [...cluster.stdout.matchAll(/^lost /gm)].length;
    await cluster.waitFor(() => lost() >= 4, { what: 'four connections that do not arrive' });
    const seen = lost();
    assert.ok(seen <= (Date.now() - began) / 50, `${seen} hand-overs in ${Date.now() - began} ms: this spins`);
    limitDescriptors(poor, limit);
    assert.deepEqual((await asked).map(({ body, error }) => error ?? Number(body)), new Array(5).fill(poor));
    await until(() => connections(cluster.pid) === 0, 'the master has let go of all connections');
  });

  it('is told so where it asks for a socket, and gets one when there is room', async () => {
    const cluster = await startFolder('listens_on_order', { reusePort: true });
    const { port } = await cluster.ready();
    await started(cluster, 1);
    const [poor] = startedPids(cluster);
    for (const [command, argument] of [
      ['listen', { name: 'tcp', options: { port } }],
      ['bind', { name: 'udp', type: 'udp4', options: { port: 0, address: '127.0.0.1' } }],
    ]) {
      const limit = limitDescriptors(poor, FEW);
      const { error } = await attempt(cluster, poor, command, argument);
      limitDescriptors(poor, limit);
      assert.equal(error?.code, 'EMFILE', command);
      assert.ok((await order(cluster, poor, command, argument)).port > 0);
    }
  });
});
