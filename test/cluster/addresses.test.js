'use strict';

// Where a cluster listens, and what it says of it.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { once } = require('node:events');
const { freePort } = require('../helpers/free_port');
const { get, getJson, request } = require('../helpers/http_client');
const { assertInOrder } = require('../helpers/lines');
const { Subject } = require('./shared/subject');

const subject = new Subject('embedded');
// Self-signed, for localhost and these tests alone.
const TLS = path.join(__dirname, '..', 'worker_scripts', 'tls');
const https = { key: path.join(TLS, 'localhost.key.pem'), cert: path.join(TLS, 'localhost.cert.pem') };

const startedOn = address => `[master] egg-clutch started on ${address} (`;

async function pidsAnswering(cluster, where) {
  const pids = new Set();
  for (let sent = 0; sent < 50; sent++) pids.add((await getJson(where)).pid);
  assert.deepEqual([...pids].sort(), cluster.appPids().sort());
}

describe('https', () => {
  it('is served by every worker if the options have key and cert', async () => {
    const cluster = await subject.start({ https });
    const { port } = cluster.options;
    assert.deepEqual(await cluster.ready(), { port, address: `https://127.0.0.1:${port}`, protocol: 'https' });
    await cluster.output(startedOn(`https://127.0.0.1:${port}`));
    await pidsAnswering(cluster, { port, https: true });
    await assert.rejects(get(port));
  });

  it('is served if the config of the app has key and cert', async () => {
    const cluster = await subject.start({}, { config: { cluster: { listen: {}, https } } });
    const { port } = cluster.options;
    assert.deepEqual(await cluster.ready(), { port, address: `https://127.0.0.1:${port}`, protocol: 'https' });
    assert.equal((await get({ port, https: true })).status, 200);
  });
});

describe('debugPort', () => {
  for (const secure of [true, false]) {
    it(`is a second, plain server beside ${secure ? 'https' : 'http'}, and no start of its own`, async () => {
      const debugPort = await freePort();
      const cluster = await subject.start({ debugPort, ...(secure && { https }) });
      const { port } = cluster.options;
      const protocol = secure ? 'https' : 'http';
      assert.deepEqual(await cluster.ready(), { port, debugPort, address: `${protocol}://127.0.0.1:${port}`, protocol });
      assertInOrder(cluster.stdout, [startedOn(`${protocol}://127.0.0.1:${port}`), `[master] egg-clutch started on http://127.0.0.1:${debugPort}\n`]);
      assert.ok(!cluster.stdout.includes(`started at ${debugPort}`));
      await pidsAnswering(cluster, { port, https: secure });
      await pidsAnswering(cluster, debugPort);
      assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
      assert.equal(cluster.stderr, '');
    });
  }
});

describe('the address by config', () => {
  it('may be a unix socket, which goes with the cluster', async () => {
    // Not below the project: a socket's path has room for 107 bytes only.
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clutch-'));
    const socketPath = path.join(folder, 'app.sock');
    try {
      const cluster = await subject.start({}, { config: { cluster: { listen: { path: socketPath } } } });
      const { address } = await cluster.ready();
      assert.equal(address, socketPath);
      assertInOrder(cluster.stdout, ['started at -1, remain 0', startedOn(socketPath)]);
      await pidsAnswering(cluster, { socketPath });
      await assert.rejects(get(cluster.options.port), { code: 'ECONNREFUSED' });
      assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
      assert.deepEqual(fs.readdirSync(folder), []);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  it('may be a port and one hostname', async () => {
    const port = await freePort();
    const cluster = await subject.start({ port: undefined }, { config: { cluster: { listen: { port, hostname: '127.0.0.2' } } } });
    assert.deepEqual(await cluster.ready(), { port, address: `http://127.0.0.2:${port}`, protocol: 'http' });
    assertInOrder(cluster.stdout, [startedOn(`http://127.0.0.2:${port}`)]);
    await pidsAnswering(cluster, { port, host: '127.0.0.2' });
    for (const host of ['127.0.0.1', '::1']) await assert.rejects(get({ port, host }), { code: 'ECONNREFUSED' }, host);
  });

  it('is refused where it has neither port nor path', async () => {
    const cluster = await subject.start({ port: undefined }, { config: { cluster: { listen: { port: null } } } });
    assert.deepEqual(await cluster.exit(), { code: 1, signal: null });
    assertInOrder(cluster.stderr, ['[app_worker] port should be number, but got null(object)\n', '[master] exit with code:1\n']);
  });
});

describe('the variable HOST', () => {
  it('is the host that is shown for all interfaces', async () => {
    const cluster = await subject.start({}, { env: { HOST: 'my.example' } });
    assert.equal((await cluster.ready()).address, `http://my.example:${cluster.options.port}`);
    assert.equal((await request({ port: cluster.options.port })).status, 200);
  });

  it('is not shown if it is 0.0.0.0', async () => {
    const cluster = await subject.start({}, { env: { HOST: '0.0.0.0' } });
    assert.equal((await cluster.ready()).address, `http://127.0.0.1:${cluster.options.port}`);
  });
});

describe('a port', () => {
  it('is free again for others at once when the cluster has stopped', async () => {
    const cluster = await subject.start();
    await cluster.ready();
    await get(cluster.options.port);
    await cluster.stop();
    const other = http.createServer().listen(cluster.options.port);
    await once(other, 'listening');
    other.close();
  });
});
