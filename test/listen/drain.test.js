'use strict';
// Workers that are asked to leave while they have connections: nothing that was begun is cut, and nobody is kept waiting by those who
// have nothing to say.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { freePort } = require('../helpers/free_port');
const { get, Connection } = require('../helpers/http_client');
const { countOf } = require('../helpers/lines');
const { order, tell } = require('../helpers/orders');
const { runFolder } = require('../helpers/run_folder');
const { Traffic } = require('../helpers/traffic');
const { Waiting, until } = require('../helpers/waiting');

const TLS = path.join(__dirname, '..', 'worker_scripts', 'tls');
// With so much time, whoever leaves early does not do it because his time is over.
const PATIENT = { EGG_APP_CLOSE_TIMEOUT: '300000', EGG_APP_WORKER_LOGGER_LEVEL: 'INFO', EGG_MASTER_LOGGER_LEVEL: 'DEBUG' };
const SIGNALLED = '[app_worker] receive signal SIGTERM';

async function start(options, env = {}) {
  const cluster = await startFolder('answers_on_order', options, { env: { ...PATIENT, ...env } });
  const { port } = await cluster.ready();
  await started(cluster, (options?.workers ?? 2) - 1);
  return { cluster, port, pids: startedPids(cluster) };
}

function taken(cluster, url, count) {
  return cluster.waitFor(() => countOf(cluster.stdout, ` ${url}\n`) >= count, { what: `${count} requests for ${url}` });
}

function signalled(cluster, count = 2) {
  return cluster.waitFor(() => countOf(cluster.stdout, SIGNALLED) >= count, { what: `${count} workers that were asked to leave` });
}

/** A bare connection, and what came in on it. */
class Peer {
  constructor(port, localAddress) {
    this.text = '';
    this.waiting = new Waiting(() => `received '${this.text}'`);
    this.socket = net.connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true });
    this.socket.setEncoding('utf8').on('data', data => {
      this.text += data;
      this.waiting.look();
    });
    for (const event of ['connect', 'end', 'close']) this.socket.on(event, () => this.note(event));
    this.socket.on('error', error => this.note(error.code));
  }

  note(event) {
    (this.events ??= []).push(event);
    this.waiting.look();
  }

  until(event) {
    return this.waiting.for(() => this.events?.includes(event), { what: `'${event}'` });
  }

  heard(text) {
    return this.waiting.for(() => this.text.includes(text), { what: `'${text}'` });
  }
}

/** An upload in chunks, of which the first is sent. */
class Upload extends Peer {
  constructor(port) {
    super(port);
    this.socket.write('POST /upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst \r\n');
  }

  /** Resolves to the answer when the connection has ended. */
  async finish() {
    this.socket.write('5\r\nlast.\r\n0\r\n\r\n');
    await this.until('end');
    this.socket.end();
    return this.text;
  }
}

describe('a cluster that is stopped', () => {
  it('answers fifty requests in flight, each as the last on its connection, and exits with 0', async () => {
    const { cluster, port, pids } = await start();
    const requests = Array.from({ length: 50 }, () => get({ port, agent: undefined }, '/held'));
    await taken(cluster, '/held', 50);
    cluster.kill('SIGTERM');
    await signalled(cluster);
    for (const pid of pids) process.kill(pid, 'SIGUSR2');
    const answers = await Promise.all(requests);
    assert.deepEqual(new Set(answers.map(({ status, headers }) => `${status} ${headers.connection}`)), new Set(['200 close']));
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
    assert.equal(cluster.stderr, '');
  });

  it('says nothing about a socket that it has closed and that its app has not, however long the stop takes', async () => {
    const { cluster, port, pids } = await start({}, { EGG_APP_CLOSE_TIMEOUT: '2000' });
    for (const pid of pids) await order(cluster, pid, 'listen', { port: await freePort() });
    const neverAnswered = assert.rejects(get(port, '/held'), { code: 'ECONNRESET' });
    await taken(cluster, '/held', 1);
    // At its start it may have found another cluster of this folder.
    const mark = cluster.stdout.length;
    cluster.kill('SIGTERM');
    await neverAnswered;
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
    assert.equal(countOf(cluster.stdout.slice(mark), ' WARN '), 0, cluster.stdout);
  });

  it('answers over TLS as well', async () => {
    const https = { key: path.join(TLS, 'localhost.key.pem'), cert: path.join(TLS, 'localhost.cert.pem') };
    const { cluster, port, pids } = await start({ https });
    const requests = Array.from({ length: 4 }, () => get({ port, https: true }, '/held'));
    await taken(cluster, '/held', 4);
    cluster.kill('SIGTERM');
    await signalled(cluster);
    for (const pid of pids) process.kill(pid, 'SIGUSR2');
    for (const { status } of await Promise.all(requests)) assert.equal(status, 200);
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
  });

  it('answers the request whose second half comes after the signal, and refuses new connections meanwhile', async () => {
    const { cluster, port } = await start();
    const peer = new Peer(port);
    peer.socket.write('GET / HTTP/1.1\r\nHost: local');
    // The worker has it: what follows on another connection to the same one is answered.
    await peer.until('connect');
    await Promise.all([get(port), get(port)]);
    cluster.kill('SIGTERM');
    await signalled(cluster);
    await assert.rejects(get(port), { code: 'ECONNREFUSED' });
    peer.socket.write('host\r\n\r\n');
    await peer.until('end');
    assert.match(peer.text, /^HTTP\/1.1 200 OK\r\n(?:.*\r\n)*Connection: close\r\n/);
    peer.socket.end();
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
  });

  it('ends connections that are kept, also one whose answer began before the signal, and those on which nothing is said', async () => {
    const { cluster, port, pids } = await start();
    const kept = new Connection(port);
    await kept.get('/');
    const streaming = new Connection(port);
    const streamed = streaming.get('/streamed');
    await taken(cluster, '/streamed', 1);
    const silent = new Peer(port);
    await silent.until('connect');
    cluster.kill('SIGTERM');
    await signalled(cluster);
    for (const pid of pids) process.kill(pid, 'SIGUSR2');
    const { body, headers } = await streamed;
    assert.match(body, /^begun \d+$/);
    assert.equal(headers.connection, 'keep-alive');
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
    await silent.until('end');
    silent.socket.destroy();
    kept.close();
    streaming.close();
  });

  it('hears an upload in pieces to its end, and answers it', async () => {
    const { cluster, port } = await start();
    const uploads = [1, 2, 3, 4].map(() => new Upload(port));
    await taken(cluster, '/upload', 4);
    cluster.kill('SIGTERM');
    await signalled(cluster);
    for (const upload of uploads) assert.match(await upload.finish(), /^HTTP\/1.1 200 OK\r\n(?:.*\r\n)*Connection: close\r\n[^]*\d+ has 11$/);
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
  });

  it('leaves an upgraded connection its time', async () => {
    const { cluster, port } = await start();
    const peer = new Peer(port);
    peer.socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    await peer.heard('\r\n\r\n');
    cluster.kill('SIGTERM');
    await signalled(cluster);
    peer.socket.write('still there?');
    await peer.heard('still there?');
    assert.equal(cluster.ended, null);
    peer.socket.end();
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
  });

  for (const sticky of [false, true]) {
    it(`serves whoever was connected when the signal came, also those that no worker had taken yet${sticky ? ' (sticky)' : ''}`, async () => {
      const { cluster, port, pids } = await start({ sticky });
      const stop = path.join(runFolder(), `block-${cluster.pid}`);
      fs.writeFileSync(stop, '');
      for (const pid of pids) tell(cluster, pid, 'block', { path: stop });
      await cluster.waitFor(() => countOf(cluster.stdout, 'blocked ') === 2, { what: 'two blocked workers' });
      // More than may wait in the master: the rest waits in the kernel.
      const peers = Array.from({ length: 100 }, (_, client) => new Peer(port, `127.0.0.${1 + client % 9}`));
      for (const peer of peers) {
        peer.socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
        await peer.until('connect');
      }
      cluster.kill('SIGTERM');
      await cluster.output('[master] send kill SIGTERM to app workers');
      fs.rmSync(stop);
      for (const peer of peers) {
        await peer.until('end');
        assert.match(peer.text, /^HTTP\/1.1 200 OK/);
        peer.socket.end();
      }
      assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
    });
  }

  it('cuts a request that never ends before its time is over, so that the close hooks still run', async () => {
    const { cluster, port } = await start({ workers: 1 }, { EGG_APP_CLOSE_TIMEOUT: '2000' });
    const peer = new Peer(port);
    peer.socket.write('GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await taken(cluster, '/held', 1);
    cluster.kill('SIGTERM');
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
    assert.match(cluster.stdout, /^closing \d+\n.* \[app_worker\] beforeExit success/m);
    peer.socket.destroy();
  });
});

describe('one worker that is asked to leave', () => {
  it('answers what it has, while the others take what is new, and is replaced', async () => {
    const { cluster, port, pids: [leaver, other] } = await start();
    let requests;
    // A worker that gets no processor for a while is spared one, as one that stands still is.
    await until(async () => {
      for (const pid of requests ? [leaver, other] : []) process.kill(pid, 'SIGUSR2');
      await Promise.all(requests ?? []);
      const before = countOf(cluster.stdout, ' /held\n');
      requests = [get(port, '/held'), get(port, '/held')];
      await taken(cluster, '/held', before + 2);
      return await order(cluster, leaver, 'held') === 1;
    }, 'a request in the hands of each');
    process.kill(leaver, 'SIGTERM');
    await signalled(cluster, 1);
    // What it has told the master before, it has heard then.
    assert.equal(await order(cluster, leaver, 'held'), 1);
    for (let turn = 0; turn < 6; turn++) assert.equal(Number((await get(port)).body), other);
    for (const pid of [leaver, other]) process.kill(pid, 'SIGUSR2');
    assert.deepEqual((await Promise.all(requests)).map(({ body }) => Number(body)).sort(), [leaver, other].sort());
    await started(cluster, 2);
  });
});

describe('a worker in which an exception was not caught', () => {
  it('answers what it has, each as the last on its connection, is replaced meanwhile, and leaves', async () => {
    const { cluster, port, pids: [thrower] } = await start({ workers: 1 });
    const [held, upload] = [get({ port, agent: undefined }, '/held'), new Upload(port)];
    await taken(cluster, '/held', 1);
    await taken(cluster, '/upload', 1);
    const kept = new Connection(port);
    await kept.get('/');
    tell(cluster, thrower, 'throwUncaught');
    const successor = await started(cluster, 1);
    assert.equal(Number((await get(port)).body), successor);
    assert.match(await upload.finish(), new RegExp(`^HTTP/1.1 200 OK\\r\\n(?:.*\\r\\n)*Connection: close\\r\\n[^]*${thrower} has 11`));
    process.kill(thrower, 'SIGUSR2');
    const { body, headers } = await held;
    assert.deepEqual([Number(body), headers.connection], [thrower, 'close']);
    await cluster.output(new RegExp(`worker:${thrower} exit \\(`));
    kept.close();
  });
});

describe('the answer to a worker that drains', () => {
  it('tells a worker whether it may take its time: others serve in its place after a reload, and not after a signal or in a stop', async () => {
    const { cluster, port, pids: [first, other] } = await start();
    const left = pid => cluster.output(new RegExp(`^leaves ${pid} (\\w+)$`, 'm')).then(([, how]) => how);
    process.kill(first, 'SIGTERM');
    assert.equal(await left(first), 'swiftly');
    const successor = await started(cluster, 2);
    const kept = [new Connection(port), new Connection(port)];
    const owners = [];
    for (const connection of kept) owners.push(Number((await connection.get('/')).body));
    assert.deepEqual([...owners].sort(), [other, successor].sort());
    cluster.send({ action: 'reload-worker', to: 'master' });
    assert.deepEqual(await Promise.all(owners.map(left)), ['leisurely', 'leisurely']);
    const last = [await started(cluster, 3), await started(cluster, 4)];
    cluster.kill('SIGTERM');
    assert.deepEqual(await Promise.all(last.map(left)), ['swiftly', 'swiftly']);
    await cluster.exit();
    for (const connection of kept) connection.close();
  });

  it('is taken back when a stop begins, which waits for nobody who takes his time', async () => {
    const { cluster, port, pids } = await start();
    const said = pid => [...cluster.stdout.matchAll(new RegExp(`^leaves ${pid} (\\w+)$`, 'gm'))].map(([, how]) => how);
    const kept = [new Connection(port), new Connection(port)];
    for (const connection of kept) await connection.get('/');
    cluster.send({ action: 'reload-worker', to: 'master' });
    await cluster.waitFor(() => pids.every(pid => said(pid).length > 0), { what: 'the old workers, which wait for their clients' });
    cluster.kill('SIGTERM');
    await cluster.exit();
    assert.deepEqual(pids.map(said), pids.map(() => ['leisurely', 'swiftly']));
    for (const connection of kept) connection.close();
  });
});

describe('a reload under traffic', () => {
  it('loses no request', async () => {
    const { cluster, port } = await start();
    const traffic = new Traffic(port, { clients: 6 });
    for (let round = 1; round <= 5; round++) {
      const reached = traffic.answered + 50;
      await cluster.waitFor(() => traffic.answered > reached || traffic.stopping, { what: 'fifty answers' });
      cluster.send({ action: 'reload-worker', to: 'master' });
      await started(cluster, 2 * round + 1);
    }
    await traffic.stop();
    assert.deepEqual(traffic.failures, []);
    await until(() => cluster.appPids().length === 2, 'the last of the old workers to have left');
  });
});
