'use strict';
// What the servers of all workers on one address share beside the connections: the keys of TLS tickets, and datagrams.

const assert = require('node:assert/strict');
const dgram = require('node:dgram');
const path = require('node:path');
const { once } = require('node:events');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { order } = require('../helpers/orders');
const { resume } = require('../helpers/tls_session');
const { until } = require('../helpers/waiting');

const TLS = path.join(__dirname, '..', 'worker_scripts', 'tls');

describe('the workers of one address', () => {
  it('take up each other\'s TLS sessions', async () => {
    const https = { key: path.join(TLS, 'localhost.key.pem'), cert: path.join(TLS, 'localhost.cert.pem') };
    const cluster = await startFolder('writes_junk', { https });
    const { port } = await cluster.ready();
    await started(cluster, 1);
    const first = await resume(port);
    assert.equal(first.isResumed, false);
    const seen = new Set([first.pid]);
    await until(async () => {
      const { pid, isResumed } = await resume(port, first.session);
      assert.equal(isResumed, true);
      return seen.add(pid).size >= 2;
    }, 'a session that another worker takes up');
    assert.deepEqual([...seen].sort(), startedPids(cluster).sort());
  });

  it('take up the TLS sessions of a worker that is gone', async () => {
    const https = { key: path.join(TLS, 'localhost.key.pem'), cert: path.join(TLS, 'localhost.cert.pem') };
    const cluster = await startFolder('writes_junk', { https, workers: 1 });
    const { port } = await cluster.ready();
    const { pid, session } = await resume(port);
    process.kill(pid, 'SIGKILL');
    const successor = await started(cluster, 1);
    const after = await resume(port, session);
    assert.deepEqual([after.pid, after.isResumed], [successor, true]);
  });

  it('go on to hear datagrams at the same port when one of them is killed', async () => {
    const cluster = await startFolder('listens_on_order');
    await cluster.ready();
    await started(cluster, 1);
    const [victim, other] = startedPids(cluster);
    const bind = pid => order(cluster, pid, 'bind', { name: 'udp', type: 'udp4', options: { port: 0, address: '127.0.0.1' } });
    const { port } = await bind(other);
    assert.equal((await bind(victim)).port, port);
    process.kill(victim, 'SIGKILL');
    const successor = await started(cluster, 2);
    assert.equal((await bind(successor)).port, port);
    const client = dgram.createSocket('udp4');
    for (let turn = 0; turn < 5; turn++) {
      client.send('ping', port, '127.0.0.1');
      const [message] = await once(client, 'message');
      assert.ok([other, successor].includes(Number(message)));
    }
    client.close();
  });
});
