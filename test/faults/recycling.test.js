'use strict';
// Workers that have served long enough are renewed while clients never stop asking: the new one first, and nobody notices.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { get } = require('../helpers/http_client');
const { runFolder } = require('../helpers/run_folder');
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

  it('is tried again after growing pauses where its successor does not boot, until one does', async () => {
    const cause = path.join(fs.mkdtempSync(path.join(runFolder(), 'cause')), 'there');
    const options = { workers: 1, stuck: { steerAfter: '200ms' }, recycle: { requests: 2, jitter: 0 } };
    const cluster = await startFolder('dies_while_booting', options, { env: { DIES_WHILE: cause } });
    const { port } = await cluster.ready();
    fs.writeFileSync(cause, '');
    for (let request = 0; request < 2; request++) await get(port);
    const inVain = () => [...cluster.stderr.matchAll(/restart given up: app_worker#\d+ did not get ready/g)].length;
    await cluster.waitFor(() => inVain() >= 2, { what: 'two successors that do not boot' });
    fs.rmSync(cause);
    await started(cluster, 1);
    const [first] = startedPids(cluster);
    await cluster.waitFor(() => !cluster.appPids().includes(first), { what: 'its end' });
  });
});
