'use strict';
// What status() tells of how each process is.

const assert = require('node:assert/strict');
const http = require('node:http');
const { once } = require('node:events');
const { get, getJson } = require('../helpers/http_client');
const { startSteerable, steer } = require('../helpers/steering');
const { until } = require('../helpers/waiting');

/** Within a third of each other: what is measured twice, a little apart. */
const isNear = (one, other) => Math.abs(one - other) <= Math.max(one, other) / 3;

describe('the vitals of a process', () => {
  let cluster;
  let port;

  before(async () => {
    cluster = await startSteerable('vital_signs', { workers: 1 });
    ({ port } = await cluster.ready());
  });
  after(() => cluster.stop());

  const status = async () => JSON.parse(JSON.stringify(await steer(cluster, 'status')));
  const vitals = async () => (await status()).workers[0].vitals;

  it('count requests by what became of them', async () => {
    for (const code of [200, 204, 302, 404, 404, 500, 503, 599]) await get(port, `/status/${code}`);
    // A client may have its answer before the worker knows that it went out, and that its connection is closed.
    await until(async () => (await vitals()).requests.inFlight === 0 && (await vitals()).connections === 0, 'all are answered');
    const { requests } = await vitals();
    assert.deepEqual(requests, { total: 8, inFlight: 0, '2xx': 2, '3xx': 1, '4xx': 2, '5xx': 3, brokenOff: 0 });
    const request = http.get({ port, host: '127.0.0.1', path: '/never', agent: false });
    const [response] = await once(request, 'response');
    const during = await vitals();
    assert.deepEqual([during.requests.total, during.requests.inFlight, during.connections], [9, 1, 1]);
    response.on('error', () => {});
    request.destroy();
    await until(async () => (await vitals()).requests.brokenOff === 1, 'the broken request is counted');
    await until(async () => (await vitals()).connections === 0, 'its connection is gone');
    assert.equal((await vitals()).requests.inFlight, 0);
  });

  it('tell its heap after a collection of garbage, and its memory', async () => {
    const own = await getJson(port, '/collect/');
    const { heapUsed, heapTotal, external, rss } = await vitals();
    for (const [name, ours] of Object.entries({ heapUsed, heapTotal, external, rss })) {
      assert.ok(isNear(ours, own[name]), `${name}: ${ours}, and Node says ${own[name]}`);
    }
  });

  it('tell how its event loop is held up, and its time on a processor', async () => {
    const before = await vitals();
    await get(port, '/spin/400');
    const { eventLoop, cpuMs, uptimeMs } = await vitals();
    assert.ok(eventLoop.longestTurnMs >= 400, JSON.stringify(eventLoop));
    assert.ok(eventLoop.lagP99Ms > 0 && eventLoop.lagP99Ms <= eventLoop.longestTurnMs, JSON.stringify(eventLoop));
    assert.ok(eventLoop.utilization >= 400 / uptimeMs - 0.01 && eventLoop.utilization <= 1, JSON.stringify({ eventLoop, uptimeMs }));
    assert.ok(cpuMs > before.cpuMs, `${before.cpuMs} ms, then ${cpuMs} ms`);
    assert.ok(uptimeMs >= before.uptimeMs + 400);
    await until(async () => (await vitals()).eventLoop.state === 'waits', 'it waits again');
    let isSeen = false;
    const spinning = (async () => {
      while (!isSeen) await get(port, '/spin/1000');
    })();
    await until(async () => (await vitals()).eventLoop.lagMs > 100, 'it is seen to be held up while it is').finally(() => { isSeen = true; });
    await spinning;
  });

  it('are those of the agent, too', async () => {
    const { agent } = await status();
    assert.ok(agent.vitals.rss > 0 && agent.vitals.cpuMs > 0 && agent.vitals.uptimeMs > 0);
    assert.equal(agent.vitals.requests.total, 0);
    assert.equal(agent.vitals.connections, null);
  });
});
