'use strict';

// Where a cluster listens, and what it says of it.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const tls = require('node:tls');
const { once } = require('node:events');
const { freePort } = require('../helpers/free_port');
const { get, getJson } = require('../helpers/http_client');
const { ask } = require('../helpers/probe');
const { scenario } = require('./contract');

// Self-signed, for localhost and these tests alone.
const TLS = path.join(__dirname, '..', 'worker_scripts', 'tls');
const https = { key: path.join(TLS, 'localhost.key.pem'), cert: path.join(TLS, 'localhost.cert.pem') };
const LAST_OF_OLD = 'TLSv1.2';

async function started(subject, options, settings) {
  const cluster = await subject.start(options, settings);
  cluster.ready = await cluster.ready();
  return cluster;
}

async function protocolOf(port) {
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const protocol = socket.getProtocol();
  socket.destroy();
  return protocol;
}

async function assertAppsAnswer(cluster, where) {
  const pids = new Set();
  for (let sent = 0; sent < 50 && pids.size < cluster.options.workers; sent++) pids.add((await getJson(where)).pid);
  assert.deepEqual([...pids].sort(), cluster.appPids().sort());
}

const startedOn = (cluster, address) => assert.ok(cluster.stdout.includes(`[master] small started on ${address} (`), cluster.stdout);

scenario('https by options, which win over the config, and a debugPort', {
  async start(subject) {
    const config = { cluster: { listen: {}, https: { key: '/no/such/key', cert: '/no/such/cert', maxVersion: LAST_OF_OLD } } };
    return started(subject, { https, debugPort: String(await freePort()) }, { config });
  },
}, line => {
  line('10.1', async cluster => {
    const { ready, options: { port } } = cluster;
    assert.deepEqual({ port: ready.port, address: ready.address, protocol: ready.protocol },
      { port, address: `https://127.0.0.1:${port}`, protocol: 'https' });
    startedOn(cluster, `https://127.0.0.1:${port}`);
    await assertAppsAnswer(cluster, { port, https: true });
    await assert.rejects(get(port));
  });

  line('3.16', async cluster => {
    // A member that only the config has counts as well.
    assert.equal(await protocolOf(cluster.options.port), LAST_OF_OLD);
    for (const pid of cluster.appPids()) assert.deepEqual(await ask(cluster, pid, 'serverEvents'), [false]);
  });

  for (const id of ['10.2', '2.13']) {
    line(id, async cluster => {
      const { ready, options: { debugPort } } = cluster;
      await assertAppsAnswer(cluster, Number(debugPort));
      assert.equal(Number(ready.debugPort), Number(debugPort));
      assert.ok(!cluster.stdout.includes(`started at ${debugPort}`));
    });
  }
});

scenario('https by config', {
  start: subject => started(subject, { workers: 1 }, { config: { cluster: { listen: {}, https } } }),
}, line => {
  for (const id of ['10.1', '3.16']) {
    line(id, async cluster => {
      const { ready, options: { port } } = cluster;
      assert.deepEqual(ready, { port, address: `https://127.0.0.1:${port}`, protocol: 'https' });
      startedOn(cluster, `https://127.0.0.1:${port}`);
      await assertAppsAnswer(cluster, { port, https: true });
    });
  }
});

const folders = [];

scenario('a unix socket', {
  async start(subject) {
    // Not below the project: a socket's path has room for 107 bytes only.
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clutch-'));
    folders.push(folder);
    const socketPath = path.join(folder, 'app.sock');
    return { socketPath, cluster: await started(subject, {}, { config: { cluster: { listen: { path: socketPath } } } }) };
  },
}, line => {
  line('10.4', async ({ cluster, socketPath }, { version }) => {
    assert.equal(cluster.ready.address, socketPath);
    // @eggjs/cluster shows a port that is undefined.
    if (version === 2) assert.match(cluster.stdout, /app_worker#\d:\d+ started at -1, remain 0 /);
    startedOn(cluster, socketPath);
    await assertAppsAnswer(cluster, { socketPath });
    await assert.rejects(get(cluster.options.port), { code: 'ECONNREFUSED' });
  });

  after(() => folders.forEach(folder => fs.rmSync(folder, { recursive: true })));
});

scenario('a hostname and a port by config', {
  async start(subject) {
    const port = await freePort();
    // 0 is as good as no port.
    return { port, cluster: await started(subject, { port: 0 }, { config: { cluster: { listen: { port, hostname: '127.0.0.2' } } } }) };
  },
}, line => {
  line('10.5', async ({ port, cluster }) => {
    assert.deepEqual(cluster.ready, { port, address: `http://127.0.0.2:${port}`, protocol: 'http' });
    startedOn(cluster, `http://127.0.0.2:${port}`);
    await assertAppsAnswer(cluster, { host: '127.0.0.2', port });
    for (const host of ['127.0.0.1', '::1']) await assert.rejects(get({ host, port }), { code: 'ECONNREFUSED' }, host);
  });

  for (const id of ['3.15', '2.4']) {
    line(id, async ({ port, cluster }) => {
      assert.equal(cluster.ready.port, port);
      for (const pid of cluster.appPids()) assert.deepEqual(await ask(cluster, pid, 'portInOptions'), [port, port]);
    });
  }
});
