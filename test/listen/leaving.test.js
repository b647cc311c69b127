'use strict';
// A worker that leaves by what Node's cluster gives it, and handles that are sent away.

const assert = require('node:assert/strict');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { get } = require('../helpers/http_client');
const { attempt, order, tell } = require('../helpers/orders');
const { until } = require('../helpers/waiting');

// In development the lines that tell who has started are for those who ask for them.
const VERBOSE = { env: { EGG_MASTER_LOGGER_LEVEL: 'DEBUG' } };

async function start(options) {
  const cluster = await startFolder('leaves_on_order', options, VERBOSE);
  const { port } = await cluster.ready();
  await started(cluster, 1);
  return { cluster, port, pids: startedPids(cluster) };
}

/** Has the workers answer what they hold, also what they have not read yet. */
async function released(requests, pids) {
  let isOver = false;
  Promise.all(requests).then(() => { isOver = true; });
  await until(() => {
    for (const pid of pids) process.kill(pid, 'SIGUSR2');
    return isOver;
  }, 'the answers to slow requests');
}

describe('a worker that leaves', () => {
  for (const [how, command, argument, on] of [
    ['by cluster.worker.disconnect()', 'disconnect', undefined, true],
    ['by cluster.worker.kill()', 'kill', undefined, true],
    ['by process.disconnect()', 'processDisconnect', undefined, false],
    ['by process.exit(3)', 'exit', 3, false],
  ]) {
    it(`${how} is said to have ${on ? '' : 'not '}done so on purpose, and is replaced once`, async () => {
      const { cluster, port, pids: [leaver, other] } = await start();
      const code = argument ?? 0;
      tell(cluster, leaver, command, argument);
      const successor = await started(cluster, 2);
      await cluster.output(new RegExp(`worker:${leaver} exit \\(code: ${code}, exitedAfterDisconnect: ${on}, state: dead`));
      assert.match(cluster.stderr, new RegExp(`worker:${leaver} disconnect \\(exitedAfterDisconnect: ${on}, `));
      assert.match(cluster.stdout, new RegExp(`app_worker#\\d:${leaver} disconnect, suicide: ${on}, `));
      assert.deepEqual(cluster.appPids().sort(), [other, successor].sort());
      const answers = new Set();
      await until(async () => answers.add(Number((await get(port)).body)).size >= 2, 'answers of both');
      assert.deepEqual([...answers].sort(), [other, successor].sort());
      assert.equal([...cluster.stderr.matchAll(/new worker:/g)].length, 1);
    });
  }

  it('finishes the request that it has, while the others take the new ones', async () => {
    const { cluster, port, pids } = await start();
    const [leaver, other] = pids;
    let slow;
    // A worker that gets no processor for a while is spared one, as one that stands still is.
    await until(async () => {
      if (slow) await released(slow, pids);
      const mark = cluster.stdout.length;
      const hands = () => cluster.stdout.slice(mark).match(/^hand \d+/gm) ?? [];
      slow = pids.map(() => get(port, '/slow'));
      await cluster.waitFor(() => hands().length >= 2, { what: 'two slow requests in the hands of workers' });
      return new Set(hands()).size === 2;
    }, 'a slow request in each worker');
    tell(cluster, leaver, 'disconnect');
    // Its channel stays open until its connections are done.
    assert.deepEqual(await order(cluster, leaver, 'state'), { connected: true, isConnected: true, on: true });
    for (let turn = 0; turn < 4; turn++) assert.equal(Number((await get(port)).body), other);
    process.kill(leaver, 'SIGUSR2');
    process.kill(other, 'SIGUSR2');
    assert.deepEqual((await Promise.all(slow)).map(({ body }) => Number(body)).sort(), pids.sort());
    const successor = await started(cluster, 2);
    await cluster.output(new RegExp(`worker:${leaver} exit \\(code: 0, exitedAfterDisconnect: true`));
    assert.deepEqual(cluster.appPids().sort(), [other, successor].sort());
  });

  it('is not replaced in development, and the others serve on', async () => {
    const { cluster, port, pids: [leaver, other] } = await start({ env: 'local' });
    tell(cluster, leaver, 'disconnect');
    await cluster.output(new RegExp(`worker:${leaver} exit \\(code: 0, exitedAfterDisconnect: true`));
    for (let turn = 0; turn < 4; turn++) assert.equal(Number((await get(port)).body), other);
    assert.deepEqual(cluster.appPids(), [other]);
  });
});

describe('a handle that a worker sends away', () => {
  for (const [to, action] of [['agent', 'heard'], ['parent', 'numbered']]) {
    it(`ends in the master: the message for the ${to} comes without it, in order, and the sender is not stuck`, async () => {
      const { cluster, pids: [sender, other] } = await start();
      const { error } = await attempt(cluster, sender, 'sendHandles', { to });
      assert.equal(error, undefined);
      const all = () => cluster.messages.filter(message => message?.action === action).map(({ data }) => data);
      await cluster.waitFor(() => all().length === 7, { what: 'seven messages' });
      assert.deepEqual(all().map(({ number }) => number), [0, 1, 2, 3, 4, 5, 6]);
      assert.ok(all().every(({ hasHandle }) => !hasHandle));
      await order(cluster, sender, 'closeSent');
      await order(cluster, other, 'state');
      assert.equal(cluster.stderr, '');
    });
  }
});
