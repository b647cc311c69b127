'use strict';
// Workers that have served long enough are renewed while clients never stop asking: the new one first, and nobody notices.

const assert = require('node:assert/strict');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { Traffic } = require('../helpers/traffic');
const { tell } = require('../helpers/orders');
const { until } = require('../helpers/waiting');

describe('a worker that has served long enough', () => {
  it('is renewed by its requests, one after the other, and no request is lost', async () => {
    const stuck = { steerAfter: '200ms' };
    const cluster = await startFolder('dies_in_many_ways', { stuck, recycle: { requests: 30, jitter: 0.2 } });
    const { port } = await cluster.ready();
    const traffic = new Traffic(port, { clients: 2 });
    await started(cluster, 5);
    await traffic.stop();
    assert.deepEqual(traffic.failures, []);
    assert.match(cluster.stdout, /app_worker#\d+:\d+ is renewed: it has had \d+ requests/);
    assert.doesNotMatch(cluster.stderr, /AppWorkerDiedError/);
    const renewed = [...cluster.stdout.matchAll(/app_worker#\d+:(\d+) is renewed/g)].map(match => Number(match[1]));
    assert.equal(new Set(renewed).size, renewed.length);
    assert.ok(renewed.every(pid => startedPids(cluster).includes(pid)));
  });

  it('is renewed by its age, without anybody asking', async () => {
    const cluster = await startFolder('dies_in_many_ways', { workers: 1, recycle: { age: '2s', jitter: 0 } });
    await cluster.ready();
    await cluster.output(/app_worker#1:\d+ is renewed: it is \d+ s old/);
    await started(cluster, 1);
  });

  it('is renewed by its memory', async () => {
    const cluster = await startFolder('dies_in_many_ways', { workers: 2, recycle: { memory: '200mb', jitter: 0 } });
    await cluster.ready();
    const [first] = cluster.appPids();
    tell(cluster, first, 'takeMemory', 300);
    await cluster.output(new RegExp(`app_worker#\\d:${first} is renewed: it has \\d{3} MB of memory`));
    await started(cluster, 2);
    await until(() => !cluster.appPids().includes(first), 'its end');
  });
});
