'use strict';
// Threads that an app starts for its own work: what they find of the cluster, and bytes in place that they are handed.

const assert = require('node:assert/strict');
const { fork } = require('node:child_process');
const { once } = require('node:events');
const { master } = require('../helpers/folder_cluster');
const { ask } = require('../helpers/probe');
const { until } = require('../helpers/waiting');
const { Subject } = require('./shared/subject');

const LONG = 300 * 1024;
const THREAD = require.resolve('../fixtures/probe/thread');
// From Node 21 on an ArrayBuffer can be taken over without our knowing, and what cannot be transferred is refused and not cloned.
const IS_TAKEABLE = Boolean(ArrayBuffer.prototype.transfer);

describe('a thread that an app starts', () => {
  const subject = new Subject('embedded');
  let cluster;
  let agent;
  let app;
  let other;

  before(async () => {
    const { packageDir } = await subject.lay();
    cluster = await subject.start(
      { messenger: { serialization: 'advanced' } },
      { env: { PROBE_PACKAGE: packageDir }, starter: master('tells_deaths') });
    await cluster.ready();
    agent = cluster.agentPid();
    [app, other] = cluster.appPids();
  });
  after(() => cluster.stop());
  afterEach(async () => {
    for (const pid of [agent, app]) {
      await ask(cluster, pid, 'drop');
      await ask(cluster, pid, 'forget');
      await ask(cluster, pid, 'collectGarbage');
    }
    await until(async () => await ask(cluster, agent, 'inPlaceBytes') === 0, 'the memory to come back');
  });

  /** Has the app hold one Buffer in place. */
  async function hold() {
    const { digest } = await ask(cluster, agent, 'lendAndSend', { method: 'sendTo', args: [app], bytes: LONG, fill: 'held' });
    assert.deepEqual(await ask(cluster, app, 'digests', { count: 1 }), [digest]);
    assert.ok(await ask(cluster, agent, 'inPlaceBytes') >= LONG);
    return digest;
  }

  /** Has the sender use its arena again. */
  async function reuse() {
    for (let round = 0; round < 3; round++) {
      await ask(cluster, agent, 'sendMany', { method: 'sendTo', args: [app], count: 3, bytes: LONG, isLent: true });
      await ask(cluster, app, 'digests', { count: 3 });
      await ask(cluster, app, 'drop', { byHand: true });
    }
  }

  const order = what => ask(cluster, app, 'orderThread', { order: what });

  it('finds no channel there, as in any process with one, and a messenger that does nothing and ends with it', async () => {
    const plain = fork(THREAD);
    const [{ means }] = await once(plain, 'message');
    const queue = { messages: 0, bytes: 0, waited: 0, waitedMs: 0, longestMs: 0 };
    const nothing = { pressure: 0, dropped: 0, queue, inPlaceBytes: 0, actions: {} };
    const none = 'ERR_CLUTCH_NO_RECEIVER';
    assert.deepEqual(await ask(cluster, app, 'threadFacts'), {
      means, code: 0, layer: { isSame: true, failures: [none, none, none, 'ERR_CLUTCH_OPTION'], heard: [], stats: nothing },
    });
    for (const pid of [agent, app]) assert.deepEqual(await ask(cluster, pid, 'received', 'news'), []);
  });

  it('has bytes of its own of what is cloned for it', async () => {
    const digest = await hold();
    assert.deepEqual(await ask(cluster, app, 'handToThread', { how: 'clone' }), { own: { length: LONG, digest }, theirs: digest, left: digest });
    assert.equal(await ask(cluster, app, 'drop', { byHand: true }), 1);
    await reuse();
    assert.equal(await order('digest'), digest);
    assert.notEqual(await order('scribble'), digest);
    await ask(cluster, app, 'endThread');
  });

  it('is not handed memory in place by transfer, neither received nor lent, and it stays where it is', async () => {
    const digest = await hold();
    for (const isLent of [false, true]) {
      const { own, theirs, refused, left } = await ask(cluster, app, 'handToThread', { how: 'transfer', isLent, bytes: LONG });
      assert.deepEqual([left, own.length], [own.digest, LONG]);
      assert.deepEqual([theirs, refused], IS_TAKEABLE ? [undefined, 'DataCloneError'] : [own.digest, undefined]);
      if (!isLent) assert.equal(own.digest, digest);
      await ask(cluster, app, 'endThread');
    }
  });

  if (IS_TAKEABLE) {
    it('reads on in memory that another ArrayBuffer has taken, which comes back when it is ended in the middle of that', async () => {
      const digest = await hold();
      const { theirs, left } = await ask(cluster, app, 'handToThread', { how: 'taken' });
      assert.deepEqual([theirs, left], [digest, null]);
      await ask(cluster, app, 'drop', { byHand: true });
      await ask(cluster, app, 'collectGarbage');
      await reuse();
      assert.equal(await order('digest'), digest);
      await ask(cluster, app, 'haveThreadRead');
      await reuse();
      assert.ok(await ask(cluster, app, 'threadReadsOn'));
      assert.ok(await ask(cluster, agent, 'inPlaceBytes') >= LONG);
      await ask(cluster, app, 'endThread');
    });

    it('may write to what was lent and taken so, and nobody else sees that', async () => {
      const { theirs, own } = await ask(cluster, app, 'handToThread', { how: 'taken', isLent: true, bytes: LONG });
      assert.equal(theirs, own.digest);
      const held = await ask(cluster, app, 'lendAndSend', { method: 'sendToAgent', bytes: LONG, fill: 'another' });
      await order('scribble');
      assert.deepEqual(await ask(cluster, agent, 'digests', { count: 1 }), [held.digest]);
      await ask(cluster, app, 'endThread');
      await ask(cluster, app, 'collectGarbage');
      await ask(cluster, agent, 'drop', { byHand: true });
      await until(async () => await ask(cluster, app, 'inPlaceBytes') === 0, 'the lent memory to come back');
    });
  }

  it('does not turn process.exit() into anything else, while it reads bytes in place', async () => {
    await hold();
    await ask(cluster, app, 'handToThread', { how: IS_TAKEABLE ? 'taken' : 'clone' });
    await ask(cluster, app, 'haveThreadRead');
    await ask(cluster, app, 'exit', 3);
    const { cause } = await cluster.waitFor(
      () => cluster.messages.find(message => message?.action === 'death' && message.data.cause.pid === app)?.data, { what: 'its death' });
    assert.deepEqual([cause.kind, cause.code, cause.signal], ['exited', 3, null], JSON.stringify(cause));
    const victim = app;
    app = await until(() => cluster.appPids().find(pid => pid !== victim && pid !== other), 'its successor');
  });
});
