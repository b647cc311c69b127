'use strict';
// What the servers of all workers on one address share beside the connections: the keys of TLS tickets, and datagrams.

const assert = require('node:assert/strict');
const dgram = require('node:dgram');
const path = require('node:path');
const tls = require('node:tls');
const { once } = require('node:events');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { order } = require('../helpers/orders');

const TLS = path.join(__dirname, '..', 'worker_scripts', 'tls');

/** One request over TLS; resolves to who answered, whether the session was taken up again, and the session. */
async function handshake(port, session) {
  // The ticket of TLS 1.2 is there with the handshake.
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion: 'TLSv1.2', session });
  await once(socket, 'secureConnect');
  const result = { isResumed: socket.isSessionReused(), session: socket.getSession() };
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) text += chunk;
  return { ...result, pid: Number(text.split('\r\n\r\n')[1]) };
}

describe('the workers of one address', () => {
  it('take up each other\'s TLS sessions', async () => {
    const https = { key: path.join(TLS, 'localhost.key.pem'), cert: path.join(TLS, 'localhost.cert.pem') };
    const cluster = await startFolder('writes_junk', { https });
    const { port } = await cluster.ready();
    await started(cluster, 1);
    const first = await handshake(port);
    assert.equal(first.isResumed, false);
    const second = await handshake(port, first.session);
    assert.deepEqual([first.pid, second.pid].sort(), startedPids(cluster).sort());
    assert.equal(second.isResumed, true);
  });

  it('take up the TLS sessions of a worker that is gone', async () => {
    const https = { key: path.join(TLS, 'localhost.key.pem'), cert: path.join(TLS, 'localhost.cert.pem') };
    const cluster = await startFolder('writes_junk', { https, workers: 1 });
    const { port } = await cluster.ready();
    const { pid, session } = await handshake(port);
    process.kill(pid, 'SIGKILL');
    const successor = await started(cluster, 1);
    const after = await handshake(port, session);
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
