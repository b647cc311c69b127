'use strict';
// Whatever clients of the control socket and the admin port do: the app is served, the dead are replaced, an operator who means well is
// answered, and nothing is left of it in the end. HOSTILE_JUNK and HOSTILE_IDLE set how many there are (npm run soak:operators).

const assert = require('node:assert/strict');
const { fork } = require('node:child_process');
const { once } = require('node:events');
const net = require('node:net');
const path = require('node:path');
const { act, look, socketPath } = require('../helpers/control');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { freePort } = require('../helpers/free_port');
const { get } = require('../helpers/http_client');
const { descriptorsAtRest, holdings, memory } = require('../helpers/resources');
const { until } = require('../helpers/waiting');

const HOSTILES = path.join(__dirname, '..', 'fixtures', 'tools', 'hostile_operators.js');
const JUNK = Number(process.env.HOSTILE_JUNK ?? 600);
const IDLE = Number(process.env.HOSTILE_IDLE ?? 200);
const REQUESTS = 200;
// The hostile, the cluster and this test share what processors there are.
const SLOWER = 10;
const MB = 1024 * 1024;

/** How long requests to the app take, one after the other, in milliseconds: the middle one, and the one that 1 % exceed. */
async function latency(port) {
  const times = [];
  for (let request = 0; request < REQUESTS; request += 1) {
    const began = process.hrtime.bigint();
    assert.equal((await get(port)).status, 200);
    times.push(Number(process.hrtime.bigint() - began) / 1e6);
  }
  times.sort((a, b) => a - b);
  return { p50: times[Math.floor(REQUESTS / 2)], p99: times[Math.floor(REQUESTS * 0.99)] };
}

/** Who is shown out, because so many are there, comes again. */
async function patiently(attempt) {
  let answer;
  await until(async () => {
    answer = await attempt().catch(() => null);
    return answer?.status === 200;
  }, 'an answer to an operator who means well');
  return answer.body;
}

const BODY_NEVER_SENT = 'POST /scale HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\n\r\n{"workers":9';
const PLACES = 128;

it('an operator is answered at once where every place is taken by somebody whose body does not come', async () => {
  const control = socketPath();
  const cluster = await startFolder('plain', { control, workers: 1 });
  await cluster.ready();
  const halves = [];
  for (let place = 0; place < PLACES; place += 1) {
    const half = net.connect(control);
    half.on('error', () => {});
    await once(half, 'connect');
    half.write(BODY_NEVER_SENT);
    halves.push(half);
  }
  // Each has had its turn by then: requests are taken up one after the other.
  const { status } = await look(control, 'healthz');
  const { body: { workers } } = await look(control, 'status');
  assert.deepEqual([status, workers.length], [200, 1]);
  for (const half of halves) half.destroy();
});

describe('a cluster with hostile clients at its control socket and its admin port', () => {
  it(`serves, replaces its dead, answers its operator, and holds nothing in the end (${JUNK} with junk, ${IDLE} idle at each)`, async function () {
    this.timeout(120000 + JUNK * 100);
    const [control, admin] = [socketPath(), await freePort()];
    const cluster = await startFolder('plain', { control, admin: { port: admin } });
    const { port } = await cluster.ready();
    await descriptorsAtRest(cluster.pid, 3);
    const before = holdings(cluster.pid);
    const memoryBefore = memory(cluster.pid);
    const quiet = await latency(port);

    const hostiles = fork(HOSTILES, [JSON.stringify({ faces: [{ path: control }, { port: admin, host: '127.0.0.1' }], junk: JUNK, idle: IDLE })]);
    const ended = once(hostiles, 'exit');
    const said = word => new Promise((resolve, reject) => {
      hostiles.on('message', message => { if (message === word) resolve(); });
      hostiles.once('exit', () => reject(new Error(`the hostile ended before '${word}'`)));
    });
    const [siege, spent] = [said('siege'), said('spent')];
    spent.catch(() => {});
    try {
      await siege;
      const besieged = await latency(port);
      const [dead] = startedPids(cluster);
      process.kill(dead, 'SIGKILL');
      const successor = await started(cluster, 2);
      const status = await patiently(() => look(control, 'status'));
      assert.ok(status.workers.some(({ pid }) => pid === successor));
      assert.deepEqual(await patiently(() => look({ port: admin }, 'readyz')), { ready: true });
      assert.deepEqual(await patiently(() => act(control, 'scale', { workers: 3 })), { workers: 3 });
      await spent;
      const after = await latency(port);
      if (process.env.HOSTILE_JUNK) console.log('latency in ms:', { quiet, besieged, after });
      assert.ok(besieged.p50 < SLOWER * Math.max(quiet.p50, after.p50), JSON.stringify({ quiet, besieged, after }));
    } finally {
      if (hostiles.connected) hostiles.disconnect();
      await ended;
    }
    assert.deepEqual(await patiently(() => act(control, 'scale', { workers: 2 })), { workers: 2 });
    await until(() => Object.entries(holdings(cluster.pid)).every(([what, count]) => count <= before[what]), `no more of anything than ${JSON.stringify(before)}`);
    assert.ok(memory(cluster.pid) < memoryBefore + 32 * MB, `${memoryBefore} → ${memory(cluster.pid)}`);
    assert.ok((await latency(port)).p50 > 0);
  });
});
