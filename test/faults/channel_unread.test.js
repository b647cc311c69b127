'use strict';
// A worker that never reads its channel: what waits for it is bounded, what does not fit is counted and said, nobody else waits,
// and when it reads again the memory comes back.

const assert = require('node:assert/strict');
const { startFolder, started, startedPids, master } = require('../helpers/folder_cluster');
const { order } = require('../helpers/orders');
const { memory } = require('../helpers/resources');
const { Traffic, askOnce } = require('../helpers/traffic');
const { until } = require('../helpers/waiting');

const MB = 1024 * 1024;
const QUEUE_LIMIT = 64 * MB;
// What the master's heap may hold beside the queue: messages on their way to everybody else.
const SLACK = 128 * MB;

async function dropped(cluster) {
  const index = cluster.messages.filter(message => message.action === 'status').length;
  cluster.send({ action: 'tell-status' });
  return (await cluster.message('status', { index })).data.droppedMessages;
}

describe('a worker that does not read its channel', () => {
  it('is sent messages up to its bound and no further, keeps no connection from the other, and serves again when it reads', async () => {
    // Otherwise the messages of workers would pass the channels by.
    const env = { EGG_CLUTCH_SWITCHBOARD: 'off' };
    const cluster = await startFolder('writes_junk', { messenger: { maxQueue: '64mb' } }, { starter: master('tells_status'), env });
    const { port } = await cluster.ready();
    await started(cluster, 1);
    const [busy, stopped] = startedPids(cluster);
    const before = memory(cluster.pid);
    process.kill(stopped, 'SIGSTOP');
    await order(cluster, busy, 'shout', { times: 80, bytes: MB });
    await order(cluster, busy, 'round');
    await cluster.output(new RegExp(`worker ${stopped} does not read its messages, its queue is full \\(1 dropped so far\\)`));
    assert.ok(await dropped(cluster) >= 1);
    assert.ok(memory(cluster.pid) < before + QUEUE_LIMIT + SLACK, `${memory(cluster.pid) / MB} MB, before ${before / MB} MB`);
    // One of these is handed to the one that stands still, and taken back.
    const early = await Promise.all([askOnce(port, '/'), askOnce(port, '/')]);
    assert.deepEqual(early.map(({ body, error }) => error ?? Number(body)), [busy, busy]);
    const traffic = new Traffic(port, { clients: 2, paths: ['/', '/round'] });
    await cluster.waitFor(() => traffic.answered > 20, { what: 'twenty answers beside the one that stands still' });
    await traffic.stop();
    assert.deepEqual(traffic.failures, []);
    process.kill(stopped, 'SIGCONT');
    await until(() => memory(cluster.pid) < before + SLACK / 2, 'the memory of the master comes back');
    await until(async () => (await askOnce(port, '/')).body === String(stopped), 'the one that stood still serves again');
    assert.deepEqual(startedPids(cluster), [busy, stopped]);
  });
});
