'use strict';
// Buffers that nobody copies: lent to be filled and sent, and read in place by their receivers, whatever becomes of the others.

const assert = require('node:assert/strict');
const { createHash } = require('node:crypto');
const { master } = require('../helpers/folder_cluster');
const { ask } = require('../helpers/probe');
const { until } = require('../helpers/waiting');
const { Subject } = require('./shared/subject');

const KB = 1024;
const MB = 1024 * KB;
const LONG = 300 * KB;

function filled(bytes, fill) {
  return createHash('sha256').update(Buffer.alloc(bytes, fill)).digest('hex');
}

for (const [way, env] of Object.entries({ 'through shared memory': {}, 'by Node\'s channel': { EGG_CLUTCH_SWITCHBOARD: 'off' } })) {
  describe(`Buffers that are lent ${way}`, () => {
    const isShared = way === 'through shared memory';
    const subject = new Subject('embedded');
    let cluster;
    let agent;
    let apps;

    before(async () => {
      const { packageDir } = await subject.lay();
      cluster = await subject.start(
        { messenger: { serialization: 'advanced' } },
        { env: { ...env, PROBE_PACKAGE: packageDir }, starter: master('asks_and_replies') });
      await cluster.ready();
      [agent, apps] = [cluster.agentPid(), cluster.appPids()];
    });
    after(() => cluster.stop());
    afterEach(async () => {
      for (const pid of [agent, ...apps]) await ask(cluster, pid, 'drop');
    });

    it('arrive, and are empty where they were', async () => {
      for (const bytes of [1, 100, 64 * KB, LONG, 8 * MB]) {
        const { digest, left, isReleased } = await ask(cluster, apps[0], 'lendAndSend', { method: 'sendToAgent', bytes, fill: 'abc' });
        assert.deepEqual([digest, left, isReleased], [filled(bytes, 'abc'), 0, false]);
        assert.deepEqual(await ask(cluster, agent, 'digests', { count: 1 }), [digest]);
        await ask(cluster, agent, 'drop');
      }
    });

    it('go to all of a broadcast', async () => {
      const { digest } = await ask(cluster, agent, 'lendAndSend', { method: 'broadcast', bytes: LONG, fill: 'all' });
      for (const pid of [agent, ...apps]) assert.deepEqual(await ask(cluster, pid, 'digests', { count: 1 }), [digest], String(pid));
    });

    it('go as parts of other data, beside bytes that are not lent', async () => {
      const sent = await ask(cluster, apps[0], 'lendPieces', { method: 'sendToAgent', bytes: LONG });
      assert.deepEqual(await ask(cluster, agent, 'digests', { count: sent.length }), sent);
    });

    it('go as parts of other data to all of a broadcast', async () => {
      const sent = await ask(cluster, apps[0], 'lendPieces', { method: 'broadcast', bytes: LONG });
      for (const pid of [agent, ...apps]) assert.deepEqual(await ask(cluster, pid, 'digests', { count: sent.length }), sent, String(pid));
      for (const pid of [agent, ...apps]) await ask(cluster, pid, 'drop', { byHand: true });
    });

    it('can be sent once', async () => {
      assert.match(await ask(cluster, apps[0], 'sendTwice', { method: 'sendToAgent', bytes: LONG }), /DataCloneError.*sent already/);
    });

    it('are refused for what is no number of bytes', async () => {
      assert.deepEqual(await ask(cluster, apps[0], 'lendNothing'), [0, ...new Array(4).fill('ERR_CLUTCH_OPTION')]);
    });

    it('may be written by each receiver for itself', async () => {
      const { digest } = await ask(cluster, agent, 'lendAndSend', { method: 'sendToApp', bytes: LONG, fill: 'mine' });
      for (const pid of apps) assert.deepEqual(await ask(cluster, pid, 'digests', { count: 1 }), [digest]);
      assert.deepEqual(await ask(cluster, apps[0], 'scribble'), [filled(LONG, 0xee)]);
      assert.deepEqual(await ask(cluster, apps[1], 'digests', { count: 1 }), [digest]);
    });

    if (isShared) {
      const successorOf = async victim => {
        const started = () => cluster.appPids().filter(pid => pid !== victim && !apps.includes(pid));
        const [successor] = await until(() => started().length > 0 && started(), 'a successor');
        await ask(cluster, successor, 'drop');
        apps = [...apps.filter(pid => pid !== victim), successor];
        return successor;
      };
      const isBack = async pid => await ask(cluster, pid, 'inPlaceBytes') === 0;

      it('come back when the garbage collector has found them, and sooner by hand', async () => {
        for (const byHand of [false, true]) {
          await ask(cluster, apps[0], 'sendMany', { method: 'sendToAgent', count: 5, bytes: LONG, isLent: !byHand });
          await ask(cluster, agent, 'digests', { count: 5 });
          assert.ok(await ask(cluster, apps[0], 'inPlaceBytes') >= 5 * LONG);
          assert.equal(await ask(cluster, agent, 'drop', { byHand }), 5);
          // The probe keeps all messages.
          await ask(cluster, agent, 'forget');
          if (!byHand) await ask(cluster, agent, 'collectGarbage');
          await until(() => isBack(apps[0]), 'the memory to come back');
        }
      });

      it('show nothing of what was at their place before, be it written by their receiver or not', async () => {
        for (let round = 0; round < 8; round++) {
          const { digest } = await ask(cluster, apps[0], 'lendAndSend', { method: 'sendToAgent', bytes: LONG, fill: `round ${round}` });
          assert.deepEqual(await ask(cluster, agent, 'digests', { count: 1 }), [digest], `${round}`);
          if (round % 3 === 1) await ask(cluster, agent, 'scribble');
          assert.equal(await ask(cluster, agent, 'drop', { byHand: true }), 1);
        }
      });

      it('are given back in the turn in which they are released', async () => {
        assert.equal(await ask(cluster, apps[0], 'lendAndRelease', { bytes: 8 * MB, count: 20 }), 0);
      });

      // From Node 21 on an ArrayBuffer can be taken over without our knowing.
      if (ArrayBuffer.prototype.transfer) {
        it('stay where another ArrayBuffer has taken their memory', async () => {
          const { refused, isReleased, areWhole } = await ask(cluster, apps[0], 'transferLent', { method: 'sendToAgent', bytes: LONG });
          assert.match(refused, /DataCloneError: .*detached/);
          assert.deepEqual({ isReleased, areWhole }, { isReleased: false, areWhole: true });
          const { digest } = await ask(cluster, apps[0], 'lendAndSend', { method: 'sendToAgent', bytes: LONG, fill: 'taken' });
          await ask(cluster, agent, 'digests', { count: 1 });
          assert.deepEqual(await ask(cluster, agent, 'transferReceived'), { isReleased: false, digest });
          await ask(cluster, apps[0], 'sendMany', { method: 'sendToAgent', count: 5, bytes: LONG, isLent: true });
          await ask(cluster, agent, 'digests', { count: 5 });
          assert.equal(await ask(cluster, agent, 'lookAtTaken'), digest);
          await ask(cluster, agent, 'drop', { byHand: true });
          for (const pid of [apps[0], agent]) {
            await ask(cluster, pid, 'forget');
            await ask(cluster, pid, 'collectGarbage');
          }
          await until(() => isBack(apps[0]), 'the memory to come back');
        });
      }

      it('are copied when their receivers hold much already, and none is harmed', async () => {
        const count = 100;
        await ask(cluster, apps[0], 'sendMany', { method: 'sendToAgent', count, bytes: MB });
        const digests = await ask(cluster, agent, 'digests', { count });
        digests.forEach((digest, at) => assert.equal(digest, filled(MB, at + 1), `${at}`));
        const held = await ask(cluster, apps[0], 'inPlaceBytes');
        assert.ok(held > 16 * MB && held <= 32 * MB, `${held}`);
        assert.deepEqual(await ask(cluster, agent, 'digests', { count }), digests);
        await ask(cluster, agent, 'drop', { byHand: true });
        await until(() => isBack(apps[0]), 'the memory to come back');
      });

      it('outlive their sender, whatever takes its place', async () => {
        const [victim] = apps;
        await ask(cluster, victim, 'sendMany', { method: 'sendToAgent', count: 3, bytes: LONG, isLent: true });
        const digests = await ask(cluster, agent, 'digests', { count: 3 });
        process.kill(victim, 'SIGKILL');
        const successor = await successorOf(victim);
        // Its first messages go by the channel.
        let sent = 0;
        await until(async () => {
          await ask(cluster, successor, 'sendMany', { method: 'sendToAgent', count: 1, bytes: LONG });
          sent += 1;
          return await ask(cluster, successor, 'inPlaceBytes') > 0;
        }, 'shared memory');
        await ask(cluster, successor, 'sendMany', { method: 'sendToAgent', count: 20, bytes: LONG, isLent: true });
        assert.deepEqual((await ask(cluster, agent, 'digests', { count: 23 + sent })).slice(0, 3), digests);
        assert.ok(await ask(cluster, agent, 'drop', { byHand: true }) >= 24);
        await until(() => isBack(successor), 'the memory to come back');
      });

      it('are the sender\'s again when their receiver has died', async () => {
        const [victim] = apps;
        await ask(cluster, agent, 'sendMany', { method: 'sendToApp', count: 3, bytes: LONG });
        for (const pid of apps) await ask(cluster, pid, 'digests', { count: 3 });
        await ask(cluster, apps[1], 'drop', { byHand: true });
        assert.ok(await ask(cluster, agent, 'inPlaceBytes') >= 3 * LONG);
        process.kill(victim, 'SIGKILL');
        await until(() => isBack(agent), 'the memory to come back');
        await successorOf(victim);
      });
    }
  });
}
