'use strict';
// A socket for each worker on one port, and the kernel chooses. The same on every Node, whether its own `listen` knows reusePort.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { Subject } = require('../cluster/shared/subject');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { freePort } = require('../helpers/free_port');
const { get, getJson } = require('../helpers/http_client');
const { countOf } = require('../helpers/lines');
const { order, tell } = require('../helpers/orders');
const { descriptorTargets } = require('../helpers/resources');
const { runFolder } = require('../helpers/run_folder');
const { resume } = require('../helpers/tls_session');
const { Traffic, askOnce } = require('../helpers/traffic');
const { until } = require('../helpers/waiting');

// Enough for a kernel that chooses by chance to leave nobody out, in all the time there will ever be.
const CONNECTIONS = 400;
// Self-signed, for localhost and these tests alone.
const TLS = path.join(__dirname, '..', 'worker_scripts', 'tls');
const https = { key: path.join(TLS, 'localhost.key.pem'), cert: path.join(TLS, 'localhost.cert.pem') };

/** The inodes of the sockets that listen on a port, from the kernel's table. */
function sockets(port) {
  const LISTENS = '0A';
  const rows = ['tcp', 'tcp6'].flatMap(name => fs.readFileSync(`/proc/net/${name}`, 'utf8').trim().split('\n').slice(1));
  return rows.map(row => row.trim().split(/\s+/))
    .filter(([, local, , state]) => state === LISTENS && Number.parseInt(local.split(':')[1], 16) === port)
    .map(columns => columns[9]);
}

/** Those of the sockets that a process holds. */
function heldBy(pid, inodes) {
  const links = descriptorTargets(pid);
  return inodes.filter(inode => links.includes(`socket:[${inode}]`));
}

/** How many connections wait in a listening socket: the kernel shows it in the place of what is to be read. */
function waiting(inode, port) {
  const rows = ['tcp', 'tcp6'].flatMap(name => fs.readFileSync(`/proc/net/${name}`, 'utf8').trim().split('\n').slice(1));
  const own = rows.map(row => row.trim().split(/\s+/)).find(columns => columns[9] === inode && columns[3] === '0A');
  assert.ok(own, `no socket ${inode} listens on ${port}`);
  return Number.parseInt(own[4].split(':')[1], 16);
}

/** How often the master's own thread has gone to sleep, and so how often it was woken up. */
function sleeps(pid) {
  const threads = fs.readdirSync(`/proc/${pid}/task`).map(tid => fs.readFileSync(`/proc/${pid}/task/${tid}/status`, 'utf8'));
  const own = threads.find(status => /^Name:\s+clutch-master$/m.test(status));
  return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(own)[1]);
}

async function answering(where, wanted) {
  const seen = new Set();
  for (let sent = 0; sent < CONNECTIONS && seen.size < wanted; sent++) seen.add(Number((await get(where)).body));
  return [...seen].sort();
}

async function start(options, settings) {
  const cluster = await startFolder('listens_on_order', { reusePort: true, ...options }, settings);
  const { port } = await cluster.ready();
  await started(cluster, 1);
  return { cluster, port, pids: startedPids(cluster) };
}

for (const [how, options] of [['reusePort', { reusePort: true }], ["balance: 'kernel'", { balance: 'kernel' }]]) describe(`a cluster with ${how}`, () => {
  let cluster;
  let port;
  let pids;

  before(async () => { ({ cluster, port, pids } = await start({ reusePort: undefined, ...options })); });
  after(() => cluster.stop());

  it('counts each worker once', async () => {
    const { data } = await cluster.message('egg-ready');
    assert.deepEqual(data, { port, address: `http://127.0.0.1:${port}`, protocol: 'http' });
    assert.equal(countOf(cluster.stdout, `started at ${port}, remain 1 (`), 1);
    assert.equal(countOf(cluster.stdout, `started at ${port}, remain 0 (`), 1);
    assert.equal(countOf(cluster.stdout, `started at ${port}`), 2);
  });

  it('gives each worker a socket of its own', () => {
    const inodes = sockets(port);
    assert.equal(inodes.length, 2);
    const [first, second] = pids.map(pid => heldBy(pid, inodes));
    assert.deepEqual([...first, ...second].sort(), inodes.sort());
    assert.equal(first.length, 1);
  });

  it('is served by all workers, over IPv4 and IPv6', async () => {
    for (const host of ['127.0.0.1', '::1']) assert.deepEqual(await answering({ port, host }, 2), [...pids].sort(), host);
  });

  it('does not wake the master for a connection that a worker accepts', async () => {
    const before = sleeps(cluster.pid);
    for (let sent = 0; sent < CONNECTIONS; sent++) await get(port);
    // It looks at its workers now and then.
    const slept = sleeps(cluster.pid) - before;
    assert.ok(slept < CONNECTIONS / 2, `woken up ${slept} times by ${CONNECTIONS} connections`);
  });

  it('deals out the connections of an app\'s other servers as ever', async () => {
    const [first, second] = await Promise.all(pids.map(pid => order(cluster, pid, 'listen', { name: 'extra', options: { port: 0 } })));
    assert.deepEqual(first, second);
    const inodes = sockets(first.port);
    assert.deepEqual(heldBy(cluster.pid, inodes), inodes);
    assert.deepEqual(await answering(first.port, 2), [...pids].sort());
  });

  it('is served by the others while a worker is gone, and by its successor then', async () => {
    const [victim, other] = pids;
    const before = sockets(port).sort();
    process.kill(victim, 'SIGKILL');
    await cluster.output(new RegExp(`app_worker#\\d:${victim} disconnect`));
    for (let turn = 0; turn < 20; turn++) assert.notEqual((await get(port)).body, String(victim));
    const successor = await started(cluster, 2);
    assert.deepEqual(await answering(port, 2), [other, successor].sort());
    assert.deepEqual(sockets(port).sort(), before);
    pids = [other, successor];
  });

  it('loses nothing that waits at a worker that is killed', async () => {
    const [victim, other] = pids;
    process.kill(victim, 'SIGSTOP');
    const asked = Array.from({ length: 40 }, () => askOnce(port, '/'));
    await until(() => waiting(heldBy(victim, sockets(port))[0], port) > 0, 'connections wait at the one that stands still');
    const next = startedPids(cluster).length;
    process.kill(victim, 'SIGKILL');
    const answers = await Promise.all(asked);
    assert.deepEqual(answers.filter(({ error }) => error), []);
    assert.ok(answers.every(({ body }) => body !== String(victim)));
    pids = [other, await started(cluster, next)];
  });

  it('loses nothing to a reload, because each new worker goes on with the socket of its slot', async () => {
    const before = { workers: startedPids(cluster).length, sockets: sockets(port).sort() };
    const traffic = new Traffic(port, { clients: 8 });
    cluster.send({ action: 'reload-worker' });
    for (const pid of pids) await cluster.output(`worker:${pid} exit (code: 0`);
    await traffic.stop();
    assert.deepEqual(traffic.failures, []);
    const successors = startedPids(cluster).slice(before.workers);
    assert.deepEqual(await answering(port, 2), successors.sort());
    assert.deepEqual(sockets(port).sort(), before.sockets);
  });

  it('can be closed by a worker, and opened again', async () => {
    const [first] = startedPids(cluster).slice(-2);
    const { port: own } = await order(cluster, first, 'listen', { name: 'again', options: { port } });
    assert.equal(own, port);
    assert.equal(sockets(port).length, 3);
    await order(cluster, first, 'close', 'again');
    await until(() => sockets(port).length === 2, 'the third socket is gone');
  });

  it('keeps the socket of a worker that leaves by itself, and the others are dealt all connections', async () => {
    const [leaver, other] = startedPids(cluster).slice(-2);
    const before = sockets(port).sort();
    const next = startedPids(cluster).length;
    process.kill(leaver, 'SIGTERM');
    await cluster.output(`worker:${leaver} exit (code: 0`);
    for (let turn = 0; turn < 20; turn++) assert.notEqual((await get(port)).body, String(leaver));
    const successor = await started(cluster, next);
    assert.deepEqual(await answering(port, 2), [other, successor].sort());
    assert.deepEqual(sockets(port).sort(), before);
  });

  it('stops in order and leaves no socket', async () => {
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
    assert.deepEqual(sockets(port), []);
    await assert.rejects(get(port), { code: 'ECONNREFUSED' });
  });
});

describe("a cluster that is stopped under balance: 'kernel'", () => {
  it('cuts nobody off who has connected, and refuses whoever comes later', async () => {
    const cluster = await startFolder('plain', { balance: 'kernel' });
    const { port } = await cluster.ready();
    let isRefused = false;
    let asked = 0;
    const failures = [];
    const clients = Array.from({ length: 16 }, async () => {
      while (!isRefused) {
        const { error } = await askOnce(port, '/');
        asked += 1;
        if (error) failures.push(error);
        isRefused ||= error === 'ECONNREFUSED';
      }
    });
    await until(() => asked > 50, 'fifty answers');
    cluster.kill('SIGTERM');
    await cluster.exit();
    await Promise.all(clients);
    assert.deepEqual([...new Set(failures)], ['ECONNREFUSED']);
  });
});

describe("a worker that stands still under balance: 'kernel'", () => {
  it('has what waits at it answered by the others, and gets nothing more before it goes on', async () => {
    const stuck = { steerAfter: 200, killAfter: 60000, stack: false };
    const { cluster, port, pids: [blocked, other] } = await start({ reusePort: undefined, balance: 'kernel', stuck });
    const gate = path.join(runFolder(), 'blocks');
    fs.writeFileSync(gate, '');
    tell(cluster, blocked, 'block', { path: gate });
    await cluster.output(`blocked ${blocked}`);
    const answers = await Promise.all(Array.from({ length: 40 }, () => askOnce(port, '/')));
    assert.deepEqual(new Set(answers.map(({ error, body }) => error ?? body)), new Set([String(other)]));
    await cluster.output(/stands still/);
    for (let turn = 0; turn < 40; turn++) assert.equal((await get(port)).body, String(other));
    fs.rmSync(gate);
    await cluster.output(/goes on after it stood still/);
    assert.deepEqual(await answering(port, 2), [blocked, other].sort());
  });
});

describe('reusePort', () => {
  // They tell the port early and late.
  for (const name of ['egg 3', 'embedded']) {
    const on = new Subject(name);

    it(`may come from the config, with the port and its address (${name})`, async function () {
      this.timeout(300000);
      const port = await freePort();
      const config = { cluster: { listen: { port, hostname: '127.0.0.2', reusePort: true } } };
      const cluster = await on.start({ port: undefined }, { config });
      assert.deepEqual(await cluster.ready(), { port, address: `http://127.0.0.2:${port}`, protocol: 'http' });
      assert.equal(sockets(port).length, 2);
      const seen = new Set();
      for (let sent = 0; sent < CONNECTIONS && seen.size < 2; sent++) seen.add((await getJson({ port, host: '127.0.0.2' })).pid);
      assert.deepEqual([...seen].sort(), cluster.appPids().sort());
      assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
      assert.equal(cluster.stderr, '');
    });
  }

  it('with https has all workers take up each other\'s TLS sessions', async () => {
    const { port, pids } = await start({ https });
    const { session } = await resume(port);
    const seen = new Set();
    for (let sent = 0; sent < CONNECTIONS && seen.size < 2; sent++) {
      const { isResumed, pid } = await resume(port, session);
      assert.equal(isResumed, true);
      seen.add(pid);
    }
    assert.deepEqual([...seen].sort(), pids.sort());
  });

  it('does not let a cluster join a port that somebody else has for himself', async () => {
    const port = await freePort();
    const taken = net.createServer().listen(port);
    try {
      const cluster = await startFolder('listens_on_order', { port, reusePort: true });
      assert.deepEqual(await cluster.exit(), { code: 1, signal: null });
      assert.match(cluster.stderr, new RegExp(`\\[app_worker\\] server got error: bind EADDRINUSE null:${port}, code: EADDRINUSE\\n`));
    } finally {
      taken.close();
    }
  });

  it('lets two clusters share a port', async () => {
    const one = await start();
    const two = await start({ port: one.port });
    assert.deepEqual(await answering(one.port, 4), [...one.pids, ...two.pids].sort());
    await one.cluster.stop();
    assert.deepEqual(await answering(one.port, 2), two.pids.sort());
  });

  it('of the config is not used in sticky mode, and the worker says so', async () => {
    const on = new Subject('embedded');
    const cluster = await on.start({ sticky: true, workers: 1 }, { config: { cluster: { listen: { reusePort: true } } } });
    const { port } = await cluster.ready();
    await cluster.output('[app_worker] config cluster.listen.reusePort is not used in sticky mode');
    assert.deepEqual(heldBy(cluster.pid, sockets(port)), sockets(port));
  });
});
