'use strict';
// What messenger.stats() tells is what has happened, whichever way messages go.

const assert = require('node:assert/strict');
const { master } = require('../helpers/folder_cluster');
const { ask } = require('../helpers/probe');
const { Subject } = require('./shared/subject');
const { WAYS } = require('./shared/ways');

const COUNT = 20;
const BYTES = 5000;
const BUSY_MS = 60;

for (const way of ['through shared memory', 'by Node\'s channel', 'between threads']) {
  const { name, env, options, meet } = WAYS[way];

  describe(`the counters of messages ${way}`, () => {
    const subject = new Subject(name);
    let cluster;
    let agent;
    let apps;

    before(async () => {
      const { packageDir } = await subject.lay();
      cluster = await subject.start(await options(), { starter: master('asks_and_replies'), env: { ...env, PROBE_PACKAGE: packageDir } });
      ({ agent, apps } = await meet(cluster));
    });
    after(() => cluster.stop());

    const stats = pid => ask(cluster, pid, 'stats');

    it('are what was sent, what came, and for how long that was on its way', async () => {
      const [app] = apps;
      await ask(cluster, agent, 'pour', { pid: app, count: COUNT, bytes: BYTES });
      await ask(cluster, agent, 'flush');
      const ofAgent = await stats(agent);
      const ofApp = await stats(app);
      const counts = ({ sent, received, dropped, queued }) => ({ sent, received, dropped, queued });
      assert.deepEqual(counts(ofAgent.actions.news), { sent: COUNT, received: 0, dropped: 0, queued: 0 });
      assert.deepEqual(counts(ofApp.actions.news), { sent: 0, received: COUNT, dropped: 0, queued: 0 });
      const { bytes, largest } = ofAgent.actions.news;
      assert.ok(largest >= BYTES && largest < 2 * BYTES && bytes >= COUNT * BYTES && bytes <= COUNT * largest, `${bytes}, ${largest}`);
      const { dropped, pressure, queue, inPlaceBytes } = ofAgent;
      assert.deepEqual([dropped, pressure, queue.messages, queue.bytes, inPlaceBytes], [0, 0, 0, 0, 0]);
      // Of what goes by the channel its sender knows how long it waited.
      const timed = [ofAgent, ofApp].map(({ actions }) => actions.news.timeInQueue).filter(({ timed: count }) => count > 0);
      assert.equal(timed.length, 1);
      const [{ timed: count, totalMs, longestMs }] = timed;
      assert.equal(count, COUNT);
      assert.ok(longestMs > 0 && totalMs >= longestMs && totalMs <= count * longestMs, JSON.stringify(timed));
    });

    it('of listeners are how long they ran', async () => {
      const [app] = apps;
      const before = (await stats(app)).actions.news;
      await ask(cluster, app, 'listenBusily', { action: 'news', ms: BUSY_MS });
      await ask(cluster, agent, 'pour', { pid: app, count: 2, bytes: 1 });
      await ask(cluster, app, 'when', { action: 'news', count: COUNT + 2 });
      const { listeners: { timed, totalMs, longestMs, slow } } = (await stats(app)).actions.news;
      assert.deepEqual([timed - before.listeners.timed, slow - before.listeners.slow], [2, 2]);
      assert.ok(longestMs >= BUSY_MS && totalMs - before.listeners.totalMs >= 2 * BUSY_MS, JSON.stringify({ totalMs, longestMs }));
    });

    it('are those of what goes to the master and the parent as well, and comes from them', async () => {
      const [app] = apps;
      for (const to of ['master', 'parent']) await ask(cluster, app, 'send', { method: 'send', args: [`for-${to}`, 'x'.repeat(BYTES), to] });
      cluster.send({ action: 'news', receiverPid: String(app), data: 'of the parent' });
      const before = (await stats(app)).actions.news.received;
      const { actions } = await stats(app);
      for (const to of ['master', 'parent']) {
        const { sent, bytes, largest } = actions[`for-${to}`];
        assert.deepEqual({ sent, bytes, largest }, { sent: 1, bytes: BYTES, largest: BYTES });
      }
      assert.equal(before, COUNT + 3);
      assert.ok(actions['egg-ready'].received >= 1);
    });
  });
}
