'use strict';
// One client, one worker: the master accepts, and the address of the client decides. The whole of 127.0.0.0/8 is this machine's, so
// each of these addresses is a client.

const assert = require('node:assert/strict');
const net = require('node:net');
const path = require('node:path');
const { Subject } = require('../cluster/shared/subject');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { freePort } = require('../helpers/free_port');
const { Connection, get, getJson } = require('../helpers/http_client');
const { assertInOrder, countOf } = require('../helpers/lines');
const { tell } = require('../helpers/orders');
const { connections, limitDescriptors } = require('../helpers/resources');
const { connectionsTo } = require('../helpers/tcp_table');
const { Traffic, askOnce } = require('../helpers/traffic');
const { until } = require('../helpers/waiting');

const embedded = new Subject('embedded');
const CLIENTS = Array.from({ length: 50 }, (_, number) => `127.0.0.${number + 1}`);
const WORKERS = 4;
const VERBOSE = { env: { EGG_MASTER_LOGGER_LEVEL: 'DEBUG' } };
// Less than any process of the cluster has open: nothing can be opened any more.
const FEW = 10;
// Self-signed, for localhost and these tests alone.
const TLS = path.join(__dirname, '..', 'worker_scripts', 'tls');
const https = { key: path.join(TLS, 'localhost.key.pem'), cert: path.join(TLS, 'localhost.cert.pem') };

async function start(options, settings) {
  const cluster = await startFolder('writes_junk', { workers: WORKERS, sticky: true, ...options }, settings);
  const { port } = await cluster.ready();
  return { cluster, port, pids: startedPids(cluster) };
}

const ask = (port, localAddress, where = '/') => askOnce(port, where, { localAddress });

/** Who serves each client: { '127.0.0.1': '4711', … }; an error in its place where nobody does. */
async function homes(port, where) {
  const answers = await Promise.all(CLIENTS.map(client => ask(port, client, where)));
  return Object.fromEntries(answers.map(({ localAddress, body, error }) => [localAddress, error ?? body]));
}

const clientsOf = (home, pid) => CLIENTS.filter(client => home[client] === String(pid));

/** Resolves when the connection is there, so that the kernel has it in the port's queue at least. */
function connect(port, localAddress) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress }, () => resolve(socket));
    socket.on('error', reject);
  });
}

describe('a sticky cluster', () => {
  let cluster;
  let port;
  let pids;
  let home;

  before(async () => {
    ({ cluster, port, pids } = await start());
    home = await homes(port);
  });
  after(() => cluster.stop());

  it('is ready at its outer port, and its workers at an inner one that only this machine reaches', async () => {
    const { stickyWorkerPort, clusterPort } = JSON.parse(cluster.workers().find(({ role }) => role === 'app').argv.at(-1));
    assert.equal(new Set([stickyWorkerPort, clusterPort, port]).size, 3);
    const { data } = await cluster.message('egg-ready');
    assert.deepEqual(data, { port, address: `http://127.0.0.1:${port}`, protocol: 'http' });
    assertInOrder(cluster.stdout, [
      `started at ${stickyWorkerPort}, remain 3 (`, `started at ${stickyWorkerPort}, remain 0 (`,
      new RegExp(`\\[master\\] egg-clutch started on http://127\\.0\\.0\\.1:${port} \\(\\d+ms\\) with STICKY MODE!\\n`),
    ]);
    assert.ok(!cluster.stdout.includes(`started at ${port}`));
    assert.ok(pids.includes(Number((await get(stickyWorkerPort)).body)));
    await assert.rejects(get({ port: stickyWorkerPort, host: '::1' }), { code: 'ECONNREFUSED' });
  });

  it('is answered over IPv4 and IPv6', async () => {
    for (const host of ['127.0.0.1', 'localhost', '::1']) assert.ok(pids.includes(Number((await get({ port, host })).body)), host);
  });

  it('serves each client by one worker, and every worker has clients', async () => {
    for (let turn = 0; turn < 4; turn++) assert.deepEqual(await homes(port), home);
    assert.deepEqual(new Set(Object.values(home)), new Set(pids.map(String)));
  });

  it('keeps the clients of one address together, however many come at once', async () => {
    const answers = await Promise.all(Array.from({ length: 300 }, () => ask(port, CLIENTS[7])));
    assert.deepEqual(new Set(answers.map(({ body, error }) => error ?? body)), new Set([home[CLIENTS[7]]]));
  });

  it('keeps a kept connection with its worker', async () => {
    const connection = new Connection({ port, localAddress: CLIENTS[3] });
    for (let turn = 0; turn < 5; turn++) assert.equal((await connection.get()).body, home[CLIENTS[3]]);
    connection.close();
  });

  it('takes a request that comes in pieces, byte by byte, after its connection was handed over', async () => {
    const socket = await connect(port, CLIENTS[0]);
    socket.setNoDelay(true);
    for (const byte of 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n') {
      await new Promise(resolve => socket.write(byte, resolve));
    }
    let text = '';
    for await (const chunk of socket.setEncoding('utf8')) text += chunk;
    assert.match(text, new RegExp(`^HTTP/1\\.1 200[^]*\\r\\n\\r\\n${home[CLIENTS[0]]}$`));
  });

  it('loses nothing to clients that say nothing, or are gone before they are handed over', async () => {
    const [stopped] = pids;
    const [client] = clientsOf(home, stopped);
    process.kill(stopped, 'SIGSTOP');
    const silent = await Promise.all(Array.from({ length: 40 }, () => connect(port, client)));
    await until(() => connectionsTo(port) === silent.length, 'they are accepted');
    for (const socket of silent.slice(0, 30)) socket.resetAndDestroy();
    process.kill(stopped, 'SIGCONT');
    for (let turn = 0; turn < 10; turn++) assert.equal((await ask(port, client)).body, String(stopped));
    for (const socket of silent) socket.destroy();
    await until(() => connections(cluster.pid) === 0, 'the master has let go of all connections');
  });

  it('has the clients of a worker that stands still wait, and all others served', async () => {
    const [stopped] = pids;
    const own = clientsOf(home, stopped);
    process.kill(stopped, 'SIGSTOP');
    let early = 0;
    const waiting = own.flatMap(client => Array.from({ length: 5 }, () => ask(port, client)));
    for (const answer of waiting) answer.then(() => { early += 1; });
    for (let turn = 0; turn < 5; turn++) {
      const others = CLIENTS.filter(client => !own.includes(client));
      const answers = await Promise.all(others.map(client => ask(port, client)));
      assert.deepEqual(answers.map(({ body, error }) => error ?? body), others.map(client => home[client]));
    }
    assert.equal(early, 0);
    process.kill(stopped, 'SIGCONT');
    const answers = await Promise.all(waiting);
    assert.deepEqual(new Set(answers.map(({ body, error }) => error ?? body)), new Set([String(stopped)]));
  });

  it('leaves connections in the backlog while the master has no descriptors left, and then answers all', async () => {
    const limit = limitDescriptors(cluster.pid, FEW);
    const asked = homes(port);
    await cluster.output(/\[master\] accepting connections rests: accept4: EMFILE/);
    limitDescriptors(cluster.pid, limit);
    assert.deepEqual(await asked, home);
    await until(() => connections(cluster.pid) === 0, 'the master has let go of all connections');
  });

  it('serves the clients of a worker without descriptors elsewhere, and by it again when it has some', async () => {
    const [poor] = pids;
    const own = clientsOf(home, poor);
    const limit = limitDescriptors(poor, FEW);
    const meanwhile = await homes(port);
    limitDescriptors(poor, limit);
    for (const client of CLIENTS) {
      const server = meanwhile[client];
      if (own.includes(client)) assert.ok(pids.includes(Number(server)) && server !== String(poor), server);
      else assert.equal(server, home[client]);
    }
    await until(async () => (await ask(port, own[0])).body === String(poor), 'the poor one serves again');
    assert.deepEqual(await homes(port), home);
  });

  // The last one of this cluster: it changes who is there.
  it('moves only the clients of a worker that is killed under load, and they return to its successor', async () => {
    const [victim] = pids;
    const slots = await homes(port, '/slot');
    const traffic = new Traffic(port, { clients: CLIENTS.length, addresses: CLIENTS });
    await cluster.waitFor(() => traffic.answered > 500, { what: '500 answers' });
    traffic.kill(victim);
    const successor = await started(cluster, WORKERS);
    const answered = traffic.answered;
    await cluster.waitFor(() => traffic.answered > answered + 500, { what: '500 answers more' });
    await traffic.stop();
    assert.deepEqual(traffic.unexcused(cluster, [victim]), []);
    for (const { localAddress: client, body, error } of traffic.results) {
      if (home[client] !== String(victim)) assert.equal(error ?? body, home[client], client);
      else assert.ok(error || [...pids, successor].includes(Number(body)), body);
    }
    const moved = Object.fromEntries(CLIENTS.map(client => [client, home[client] === String(victim) ? String(successor) : home[client]]));
    assert.deepEqual(await homes(port), moved);
    assert.deepEqual(await homes(port, '/slot'), slots);
  });

  it('stops in order, and has said nothing on stderr but of the dead', async () => {
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
    assert.equal(countOf(cluster.stderr, 'nodejs.AppWorkerDiedError'), 1);
    assert.ok(!/uncaught|Warning/.test(cluster.stderr), cluster.stderr);
    await assert.rejects(get(port), { code: 'ECONNREFUSED' });
  });
});

describe('a sticky cluster that is reloaded', () => {
  it('answers everybody meanwhile, and each client is with the new worker of its slot then', async () => {
    const { cluster, port, pids } = await start({ workers: 2 });
    const slots = await homes(port, '/slot');
    assert.equal(new Set(Object.values(slots)).size, 2);
    const traffic = new Traffic(port, { clients: 10, addresses: CLIENTS.slice(0, 10) });
    cluster.send({ action: 'reload-worker' });
    for (const pid of pids) await cluster.output(`worker:${pid} exit (code: 0`);
    await traffic.stop();
    assert.deepEqual(traffic.failures, []);
    const successors = startedPids(cluster).slice(2).map(String);
    assert.deepEqual(new Set(Object.values(await homes(port))), new Set(successors));
    assert.deepEqual(await homes(port, '/slot'), slots);
  });
});

describe('a worker of a sticky cluster that disconnects', () => {
  it('finishes the request that it has, and its clients are served by others until its slot is filled again', async () => {
    const cluster = await startFolder('leaves_on_order', { workers: 2, sticky: true });
    const { port } = await cluster.ready();
    const pids = startedPids(cluster);
    const home = await homes(port);
    const [leaver, other] = pids;
    const [client] = clientsOf(home, leaver);
    const slow = ask(port, client, '/slow');
    const others = clientsOf(home, leaver).length;
    await cluster.waitFor(() => countOf(cluster.stdout, `hand ${leaver} `) > others, { what: 'the slow request in its hands' });
    tell(cluster, leaver, 'disconnect');
    await cluster.output(new RegExp(`app_worker#\\d:${leaver} disconnect, suicide: true`));
    const successor = await started(cluster, 2);
    for (const turn of CLIENTS) assert.ok([other, successor].includes(Number((await ask(port, turn)).body)));
    assert.equal((await ask(port, client)).body, String(successor));
    process.kill(leaver, 'SIGUSR2');
    assert.equal((await slow).body, String(leaver));
    await cluster.output(`worker:${leaver} exit (code: 0, exitedAfterDisconnect: true`);
  });
});

describe('a sticky cluster without any worker', () => {
  it('has its clients wait for the next one', async () => {
    const { cluster, port, pids: [only] } = await start({ workers: 1 });
    process.kill(only, 'SIGSTOP');
    const waiting = CLIENTS.map(client => ask(port, client));
    await connect(port, CLIENTS[0]).then(socket => socket.destroy());
    process.kill(only, 'SIGKILL');
    await cluster.output(`app_worker#1:${only} disconnect`);
    const late = CLIENTS.map(client => ask(port, client));
    const successor = await started(cluster, 1);
    const answers = await Promise.all([...waiting, ...late]);
    assert.deepEqual(new Set(answers.map(({ body, error }) => error ?? body)), new Set([String(successor)]));
  });

  it('refuses them once nobody will ever serve again', async () => {
    const { cluster, port } = await start({ workers: 1, env: 'local' }, VERBOSE);
    process.kill(await started(cluster, 0), 'SIGKILL');
    await cluster.output(/app_worker#1:\d+ died/);
    await until(async () => (await askOnce(port, '/')).error === 'ECONNREFUSED', 'the port is closed');
  });
});

describe('the sticky port', () => {
  it('that somebody else has ends the start with a line that says so', async () => {
    const port = await freePort();
    const taken = net.createServer().listen(port);
    try {
      const cluster = await startFolder('writes_junk', { port, sticky: true });
      assert.deepEqual(await cluster.exit(), { code: 1, signal: null });
      assertInOrder(cluster.stderr, [
        new RegExp(`\\[master\\] the sticky port could not be opened: cannot listen on all addresses, port ${port}: .*EADDRINUSE.*, exiting with code:1\\n`),
        '[master] exit with code:1\n',
      ]);
      assert.ok(!cluster.messages.some(message => message.action === 'egg-ready'));
    } finally {
      taken.close();
    }
  });

  it('may be named by the config, and so may its one address', async () => {
    const port = await freePort();
    const config = { cluster: { listen: { port, hostname: '127.0.0.2' } } };
    const cluster = await embedded.start({ port: undefined, sticky: true }, { config });
    assert.deepEqual(await cluster.ready(), { port, address: `http://127.0.0.2:${port}`, protocol: 'http' });
    await cluster.output(new RegExp(`\\[master\\] egg-clutch started on http://127\\.0\\.0\\.2:${port} \\(\\d+ms\\) with STICKY MODE!`));
    const home = {};
    for (const localAddress of CLIENTS) home[localAddress] = (await getJson({ port, host: '127.0.0.2', localAddress })).pid;
    assert.deepEqual(new Set(Object.values(home)), new Set(cluster.appPids()));
    for (const localAddress of CLIENTS) assert.equal((await getJson({ port, host: '127.0.0.2', localAddress })).pid, home[localAddress]);
    for (const host of ['127.0.0.1', '::1']) await assert.rejects(get({ port, host }), { code: 'ECONNREFUSED' }, host);
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
    assert.equal(cluster.stderr, '');
  });

  it('speaks https, and the debug port plain http', async () => {
    const debugPort = await freePort();
    const { cluster, port, pids } = await start({ workers: 2, https, debugPort });
    const seen = new Set();
    for (const localAddress of CLIENTS) {
      const [first, second] = [await get({ port, https: true, localAddress }), await get({ port, https: true, localAddress })];
      assert.equal(first.body, second.body);
      seen.add(Number(first.body));
    }
    assert.deepEqual(seen, new Set(pids));
    const { data } = await cluster.message('egg-ready');
    assert.deepEqual(data, { port, debugPort, address: `https://127.0.0.1:${port}`, protocol: 'https' });
    assert.ok(pids.includes(Number((await get(debugPort)).body)));
    await assert.rejects(get(port));
    await cluster.stop();
    assert.equal(cluster.stderr, '');
  });

  it('is not where a path of the config says, and the worker says so', async () => {
    const cluster = await embedded.start({ sticky: true, workers: 1 }, { config: { cluster: { listen: { path: '/nowhere/at/all.sock' } } } });
    const { address, port } = await cluster.ready();
    assert.equal(address, `http://127.0.0.1:${port}`);
    await cluster.output('[app_worker] config cluster.listen.path is not used in sticky mode');
    assert.equal((await get(port)).status, 200);
  });

  it('that no option and no config names ends the start, as without sticky', async () => {
    const config = { cluster: { listen: { port: null } } };
    const cluster = await embedded.start({ sticky: true, port: undefined, workers: 1 }, { config });
    assert.deepEqual(await cluster.exit(), { code: 1, signal: null });
    assert.match(cluster.stderr, /\[app_worker\] port should be number, but got null\(object\)\n/);
  });
});
