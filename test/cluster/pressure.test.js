'use strict';
// A receiver that does not read: what its sender sees, what is given up and who is told, and that all is well again when it reads on.

const assert = require('node:assert/strict');
const { look, socketPath } = require('../helpers/control');
const { master } = require('../helpers/folder_cluster');
const { orderMaster } = require('../helpers/master_order');
const { ask, told } = require('../helpers/probe');
const { Subject } = require('./shared/subject');

const INSTALL_LIMIT_MS = 300000;
const KB = 1024;
const SMALL = { arena: '1mb', maxQueue: '1mb' };

async function start(name, env = {}, options = {}) {
  const subject = new Subject(name);
  const { packageDir } = await subject.lay();
  const settings = { env: { ...env, PROBE_PACKAGE: packageDir }, starter: master('asks_and_replies') };
  const cluster = await subject.start({ messenger: SMALL, ...options }, settings);
  await cluster.ready();
  const [app] = cluster.appPids();
  return { cluster, agent: cluster.agentPid(), app };
}

/** What the Cluster has told of. */
function dropsOf(cluster) {
  return cluster.messages.filter(message => message?.action === 'master-dropped').map(({ data }) => data);
}

/** What arrived, by what was sent: in order, each at most once. */
function assertInOrder(places) {
  for (let at = 1; at < places.length; at++) assert.ok(places[at] > places[at - 1], `${places[at]} after ${places[at - 1]}`);
}

for (const name of ['embedded', 'egg 3']) {
  describe(`an app that stands still, on ${name}`, function () {
    this.timeout(INSTALL_LIMIT_MS);

    it('is felt by its sender, costs messages beyond the queue, and is told of', async () => {
      const socket = socketPath();
      const { cluster, agent, app } = await start(name, {}, { control: socket });
      await ask(cluster, agent, 'tellPressure');
      assert.equal(await ask(cluster, agent, 'pressure'), 0);
      process.kill(app, 'SIGSTOP');
      await ask(cluster, agent, 'pour', { pid: app, count: 500, bytes: 8 * KB });
      const felt = await told(cluster, 'probe-pressure');
      assert.ok(felt.value >= 0.5 && felt.value <= 1, `${felt.value}`);
      const stats = await ask(cluster, agent, 'stats');
      const { sent, largest, bytes, dropped } = stats.actions.news;
      assert.equal(sent, 500);
      assert.ok(largest > 8 * KB && largest < 9 * KB, `${largest}`);
      assert.ok(bytes >= 500 * 8 * KB, `${bytes}`);
      assert.ok(dropped > 0 && dropped < 500, `${dropped}`);
      assert.equal(stats.dropped, dropped);
      assert.equal(stats.actions.news.queued, stats.queue.messages);
      assert.ok(stats.pressure > 0.5 && stats.queue.messages > 0 && stats.queue.bytes <= 1024 * KB, JSON.stringify(stats.queue));

      await cluster.waitFor(() => dropsOf(cluster).reduce((sum, { count }) => sum + count, 0) >= dropped, { what: 'the events' });
      for (const drop of dropsOf(cluster)) {
        assert.deepEqual({ ...drop, count: 0 }, {
          reason: 'queue-full', action: 'news', count: 0, from: { role: 'agent', pid: agent }, to: { role: 'app', pid: app },
        });
      }
      assert.equal((await orderMaster(cluster, 'status')).result.droppedMessages, dropped);
      assert.equal((await look(socket, 'status')).body.droppedMessages, dropped);

      process.kill(app, 'SIGCONT');
      const drained = await told(cluster, 'probe-drain');
      assert.ok(drained.value <= 0.1, `${drained.value}`);
      await ask(cluster, agent, 'flush');
      const news = await ask(cluster, app, 'received', 'news');
      assert.equal(news.length, 500 - dropped);
      assertInOrder(news.map(({ place }) => place));
      const after = await ask(cluster, agent, 'stats');
      assert.deepEqual([after.queue.messages, after.queue.bytes, after.actions.news.queued, after.pressure], [0, 0, 0, 0]);
      const { waited, waitedMs, longestMs } = after.queue;
      assert.ok(waited > 0 && longestMs > 0 && waitedMs >= longestMs, JSON.stringify(after.queue));
    });
  });
}

describe('a question without room', () => {
  it('fails at once, and one without bounds too', async () => {
    const { cluster, agent, app } = await start('embedded');
    process.kill(app, 'SIGSTOP');
    await ask(cluster, agent, 'pour', { pid: app, count: 400, bytes: 8 * KB });
    const full = await ask(cluster, agent, 'ask', { target: app, action: 'echo', bytes: 64 * KB, options: { timeout: '1h' } });
    assert.equal(full.error.code, 'ERR_CLUTCH_QUEUE_FULL', full.error.message);
    process.kill(app, 'SIGCONT');
    const other = cluster.appPids()[1];
    const tooBig = await ask(cluster, agent, 'ask', { target: other, action: 'echo', bytes: 2048 * KB, options: { timeout: '1h' } });
    assert.equal(tooBig.error.code, 'ERR_CLUTCH_MESSAGE_TOO_BIG', tooBig.error.message);
  });
});

describe('the master\'s queue for an app that stands still', () => {
  it('is bounded by the same option, and tells of what it drops', async () => {
    const socket = socketPath();
    const { cluster, agent, app } = await start('embedded', { EGG_CLUTCH_SWITCHBOARD: 'off' }, { control: socket });
    process.kill(app, 'SIGSTOP');
    await ask(cluster, agent, 'pour', { pid: app, count: 500, bytes: 8 * KB });
    // Behind the others on the same channels.
    await ask(cluster, agent, 'ask', { target: 'master', action: 'echo' });
    const { droppedMessages } = (await orderMaster(cluster, 'status')).result;
    assert.ok(droppedMessages > 200, `${droppedMessages}`);
    assert.equal((await look(socket, 'status')).body.droppedMessages, droppedMessages);
    await cluster.waitFor(() => dropsOf(cluster).length >= 64, { what: 'the events' });
    const [from, to] = [{ role: 'agent', pid: agent }, { role: 'app', pid: app }];
    assert.deepEqual(dropsOf(cluster)[0], { reason: 'queue-full', action: 'news', count: 1, from, to });
    process.kill(app, 'SIGCONT');
    await ask(cluster, agent, 'flush');
    assert.equal((await ask(cluster, app, 'received', 'news')).length, 500 - droppedMessages);
    const { actions } = await ask(cluster, agent, 'stats');
    assert.ok(actions.news.sent === 500 && actions.news.largest >= 8 * KB, JSON.stringify(actions.news));
  });
});
