'use strict';
// Which worker gets which connection, and what becomes of those whose worker is not there, or goes.

const assert = require('node:assert/strict');
const net = require('node:net');
const path = require('node:path');
const { isDeepStrictEqual } = require('node:util');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { Connection, get } = require('../helpers/http_client');
const { order, tell } = require('../helpers/orders');
const { runFolder } = require('../helpers/run_folder');
const { Traffic, askOnce } = require('../helpers/traffic');
const { connectionsAt, connectionsTo } = require('../helpers/tcp_table');
const { until } = require('../helpers/waiting');

// In development the lines that tell who has started are for those who ask for them.
const VERBOSE = { env: { EGG_MASTER_LOGGER_LEVEL: 'DEBUG' } };

const ask = (port, times) => Promise.all(Array.from({ length: times }, () => askOnce(port, '/')));

function tally(bodies) {
  const counts = {};
  for (const body of bodies) counts[body] = (counts[body] ?? 0) + 1;
  return counts;
}

async function start(options, env) {
  const cluster = await startFolder('writes_junk', options, { env: { ...VERBOSE.env, ...env } });
  const { port } = await cluster.ready();
  await started(cluster, options.workers - 1);
  return { cluster, port, pids: startedPids(cluster) };
}

describe('connections to a cluster', () => {
  let cluster;
  let port;
  let pids;

  before(async () => { ({ cluster, port, pids } = await start({ workers: 3 })); });
  after(() => cluster.stop());

  it('are spread evenly when there are many at once', async () => {
    const traffic = new Traffic(port, { clients: 20 });
    await cluster.waitFor(() => traffic.answered >= 900, { what: '900 answers' });
    await traffic.stop();
    assert.deepEqual(traffic.failures, []);
    const counts = Object.values(tally(traffic.results.map(({ body }) => body)));
    assert.equal(counts.length, 3);
    for (const count of counts) assert.ok(count > traffic.answered / 6, `${counts}`);
  });

  it('stay with their worker as long as they are kept', async () => {
    await until(() => pids.every(pid => connectionsAt(pid, port) === 0), 'the connections of before are closed');
    let kept;
    let owners;
    // A worker may have closed those of before, and the one who deals not have heard of it.
    await until(async () => {
      for (const connection of kept ?? []) connection.close();
      [kept, owners] = [pids.map(() => new Connection(port)), []];
      for (const connection of kept) owners.push((await connection.get()).body);
      return new Set(owners).size === 3;
    }, 'a connection for each worker');
    for (let turn = 0; turn < 5; turn++) {
      for (const [index, connection] of kept.entries()) assert.equal((await connection.get()).body, owners[index]);
    }
    for (const connection of kept) connection.close();
  });

  it('may carry many requests at once, which are answered in order by one worker', async () => {
    const socket = net.connect(port, '127.0.0.1');
    const requests = Array.from({ length: 50 }, (_, number) => number);
    const last = 'Connection: close\r\n';
    socket.write(requests.map(number => `GET /${number} HTTP/1.1\r\nHost: x\r\n${number === 49 ? last : ''}\r\n`).join(''));
    let text = '';
    for await (const chunk of socket.setEncoding('utf8')) text += chunk;
    assert.equal(text.match(/HTTP\/1\.1 200/g).length, 50);
    assert.equal(new Set(text.match(/^\d+(?=HTTP|$)/gm)).size, 1);
  });

  it('may come in pieces, byte by byte', async () => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    for (const byte of 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n') {
      await new Promise(resolve => socket.write(byte, resolve));
    }
    let text = '';
    for await (const chunk of socket.setEncoding('utf8')) text += chunk;
    assert.match(text, /^HTTP\/1\.1 200/);
  });

  it('that say nothing, or leave at once, cost nobody anything', async () => {
    const silent = Array.from({ length: 30 }, () => net.connect(port, '127.0.0.1'));
    await Promise.all(silent.map(socket => new Promise(resolve => socket.once('connect', resolve))));
    for (const socket of silent.slice(0, 15)) socket.resetAndDestroy();
    const answers = await ask(port, 30);
    assert.deepEqual(answers.filter(({ error }) => error), []);
    for (const socket of silent) socket.destroy();
  });
});

describe('by their balance, connections', () => {
  it('go to the worker with the fewest open ones', async () => {
    const { port, pids, cluster } = await start({ workers: 4 });
    const kept = [];
    const open = async times => {
      for (let opened = 0; opened < times; opened++) {
        const connection = new Connection(port);
        kept.push(connection);
        connection.owner = (await connection.get()).body;
      }
    };
    const counts = () => tally(kept.map(({ owner }) => owner));
    const even = Object.fromEntries(pids.map(pid => [pid, 16]));
    // A worker that gets no processor for a while is spared some, as one that stands still is.
    await until(async () => {
      for (const connection of kept.splice(0)) connection.close();
      await until(() => pids.every(pid => connectionsAt(pid, port) === 0), 'the connections of before are closed');
      await open(64);
      return isDeepStrictEqual(counts(), even);
    }, 'sixteen for each');
    // One loses all but two of them, and gets as many again.
    const [idle] = pids;
    const ended = kept.filter(({ owner }) => owner === String(idle)).slice(2);
    for (const connection of ended) {
      connection.close();
      kept.splice(kept.indexOf(connection), 1);
    }
    await until(() => connectionsAt(idle, port) === 2, 'the worker has closed them');
    await open(14);
    assert.ok(counts()[idle] >= 14, JSON.stringify(counts()));
    for (const connection of kept) connection.close();
    await cluster.stop();
  });

  it('go to the workers in turn with round-robin', async () => {
    const { port, pids } = await start({ workers: 3, balance: 'round-robin' });
    // A worker that gets no processor for a while is spared its turn, as one that stands still is.
    await until(async () => {
      const bodies = [];
      for (let turn = 0; turn < 30; turn++) bodies.push((await get(port)).body);
      const round = bodies.slice(0, 3);
      return new Set(round).size === pids.length && bodies.every((body, turn) => body === round[turn % 3]);
    }, 'ten rounds in turn');
  });
});

describe('a connection to a worker that stands still', () => {
  it('is dealt to another worker, unread, and the one that stands still is handed nothing before it runs', async () => {
    const { cluster, port, pids: [stopped, other] } = await start({ workers: 2 });
    process.kill(stopped, 'SIGSTOP');
    for (const times of [5, 20]) {
      const answers = await ask(port, times);
      assert.deepEqual(tally(answers.map(({ error, body }) => error ?? body)), { [other]: times });
    }
    process.kill(stopped, 'SIGCONT');
    await until(async () => (await askOnce(port, '/')).body === String(stopped), 'it is handed connections again');
    // The line comes by another way than the answer.
    const hands = () => cluster.stdout.match(new RegExp(`^hand ${stopped} `, 'gm'))?.length ?? 0;
    await cluster.waitFor(() => hands() > 0, { what: 'the line of the one that has stood still' });
    assert.equal(hands(), 1);
  });

  it('waits where nobody else is there, and is answered when it runs', async () => {
    const { port, pids: [stopped] } = await start({ workers: 1 });
    process.kill(stopped, 'SIGSTOP');
    const asked = ask(port, 5);
    // Accepted by the master, or still in the backlog: either way they wait.
    await Promise.all(Array.from({ length: 3 }, () => new Promise(resolve => {
      const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(); });
    })));
    process.kill(stopped, 'SIGCONT');
    assert.deepEqual(tally((await asked).map(({ error, body }) => error ?? body)), { [stopped]: 5 });
  });

  it('is dealt to its successor when it is killed', async () => {
    const { cluster, port, pids: [stopped] } = await start({ workers: 1 });
    process.kill(stopped, 'SIGSTOP');
    const asked = ask(port, 5);
    await until(() => connectionsTo(port) === 5, 'all are accepted');
    process.kill(stopped, 'SIGKILL');
    const successor = await started(cluster, 1);
    assert.deepEqual(tally((await asked).map(({ error, body }) => error ?? body)), { [successor]: 5 });
  });
});

describe("connections that go by Node's channel", () => {
  it('are dealt to another worker, unread, when theirs is killed before it took them', async () => {
    const { cluster, port, pids: [stopped, other] } = await start({ workers: 2 }, { EGG_CLUTCH_LANES: 'off' });
    process.kill(stopped, 'SIGSTOP');
    const asked = Array.from({ length: 5 }, () => askOnce(port, '/'));
    // Four of them are answered; the fifth is on its way to the one that stands still.
    let answered = 0;
    await new Promise(resolve => asked.forEach(one => one.then(() => ++answered === 4 && resolve())));
    const hands = () => cluster.stdout.match(/^hand \d+/gm) ?? [];
    await cluster.waitFor(() => hands().length >= 4, { what: 'four lines of what was taken' });
    assert.deepEqual(tally(hands()), { [`hand ${other}`]: 4 });
    process.kill(stopped, 'SIGKILL');
    const answers = await Promise.all(asked);
    assert.deepEqual(answers.filter(({ error, body }) => error || Number(body) === stopped), []);
  });
});

describe('connections that come while no worker is there', () => {
  it('wait, and are answered by the next one', async () => {
    const { cluster, port, pids: [only] } = await start({ workers: 1 });
    process.kill(only, 'SIGKILL');
    await cluster.output(`app_worker#1:${only} disconnect`);
    const answers = await ask(port, 100);
    const successor = await started(cluster, 1);
    assert.deepEqual(tally(answers.map(({ body, error }) => error ?? body)), { [successor]: 100 });
  });

  for (const [what, where] of [['port', () => ({})], ['unix socket', () => ({ LISTEN_PATH: path.join(runFolder(), 'own.sock') })]]) {
    it(`wait on the cluster's own ${what} although its only worker has closed it, and are answered by the next one`, async () => {
      const env = where();
      const cluster = await startFolder('leaves_on_order', { workers: 1 }, { env });
      const { port } = await cluster.ready();
      const only = await started(cluster, 0);
      const target = env.LISTEN_PATH ? { socketPath: env.LISTEN_PATH } : port;
      tell(cluster, only, 'disconnect');
      await cluster.output(`app_worker#1:${only} disconnect, suicide: true`);
      const answers = await Promise.all(Array.from({ length: 20 }, () => get(target)));
      const successor = await started(cluster, 1);
      assert.deepEqual(tally(answers.map(({ body }) => body)), { [successor]: 20 });
    });
  }

  it('are refused once nobody will ever serve again', async () => {
    const { cluster, port, pids: [only] } = await start({ workers: 1, env: 'local' });
    process.kill(only, 'SIGKILL');
    await cluster.output(/app_worker#1:\d+ died/);
    const seen = [];
    await until(async () => {
      const { error } = await askOnce(port, '/');
      seen.push(error);
      return error === 'ECONNREFUSED';
    }, 'the port is closed');
    assert.ok(seen.every(error => ['ECONNREFUSED', 'ECONNRESET'].includes(error) || /^CUT/.test(error)), `${seen}`);
  });

  it('are refused at an extra server whose only worker is gone for good, while the others serve the rest', async () => {
    const cluster = await startFolder('listens_on_order', { env: 'local' }, VERBOSE);
    const { port } = await cluster.ready();
    await started(cluster, 1);
    const [owner, other] = startedPids(cluster);
    const extra = await order(cluster, owner, 'listen', { name: 'extra', options: { port: 0 } });
    process.kill(owner, 'SIGKILL');
    await cluster.output(new RegExp(`app_worker#\\d:${owner} died`));
    await until(() => get(extra.port).then(() => false, ({ code }) => code === 'ECONNREFUSED'), 'the extra port is closed');
    assert.equal((await get(port)).body, String(other));
  });
});
