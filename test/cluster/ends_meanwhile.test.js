'use strict';
// Questions, receipts and flush() while somebody of them stands still, ends, is replaced, or closes its channel: each comes to its end.

const assert = require('node:assert/strict');
const { getJson } = require('../helpers/http_client');
const { master } = require('../helpers/folder_cluster');
const { orderMaster } = require('../helpers/master_order');
const { ask, told } = require('../helpers/probe');
const { until } = require('../helpers/waiting');
const { Subject } = require('./shared/subject');

const FOR_EVER = { timeout: '1h' };

for (const [way, env] of [['through shared memory', {}], ['by Node\'s channel', { EGG_CLUTCH_SWITCHBOARD: 'off' }]]) {
  describe(`while somebody ends, ${way}`, () => {
    let cluster;
    let agent;
    let apps;
    let keys = 0;
    const killed = new Set();

    before(async () => {
      const restart = { backoff: '1ms..1ms' };
      cluster = await new Subject('embedded').start({ restart }, { env: { ...env, PROBE_PACKAGE: '' }, starter: master('asks_and_replies') });
      await cluster.ready();
    });
    after(() => cluster.stop());
    // Those who can be asked, and have been told who is there.
    beforeEach(async () => {
      agent = cluster.agentPid();
      apps = await whole();
    });

    function kill(pid) {
      process.kill(pid, 'SIGKILL');
      killed.add(pid);
    }

    /** The pids of two apps in service. */
    function whole() {
      return until(async () => {
        const { workers } = (await orderMaster(cluster, 'status')).result;
        const pids = workers.filter(({ state }) => state === 'ready').map(({ pid }) => pid);
        return pids.length === 2 && !pids.some(pid => killed.has(pid)) && pids;
      }, 'two apps are in service');
    }

    function outcome(action, key) {
      return cluster.waitFor(() => cluster.messages.find(message => message?.action === action && message.data.key === key)?.data, { what: `${action} ${key}` });
    }

    const isTold = (action, key) => cluster.messages.some(message => message?.action === action && message.data.key === key);

    async function begin(pid, command, argument) {
      const key = `${command} ${keys += 1}`;
      await ask(cluster, pid, command, { key, ...argument });
      return key;
    }

    const byPid = results => new Map(results.map(result => [Number(result.pid), result]));

    it('flush() waits for one that is stopped until it reads on', async () => {
      const [app] = apps;
      process.kill(app, 'SIGSTOP');
      await ask(cluster, agent, 'flood', { method: 'sendToApp', args: ['news'], count: 100 });
      const key = await begin(agent, 'flushAndTell');
      // The others have answered by then.
      await ask(cluster, agent, 'ask', { target: apps[1], action: 'echo' });
      assert.ok(!isTold('probe-flushed', key));
      process.kill(app, 'SIGCONT');
      await outcome('probe-flushed', key);
      assert.equal((await ask(cluster, app, 'received', 'news')).length, 100);
    });

    for (const [how, stand] of [['is stopped', app => process.kill(app, 'SIGSTOP')], ['runs for ever', app => tellOnly(app, 'standStill')]]) {
      it(`flush() ends with one that ${how}, when that is killed`, async () => {
        const [app] = apps;
        stand(app);
        await ask(cluster, agent, 'flood', { method: 'sendToApp', args: ['news'], count: 100 });
        const key = await begin(agent, 'flushAndTell');
        await ask(cluster, agent, 'ask', { target: apps[1], action: 'echo' });
        assert.ok(!isTold('probe-flushed', key));
        kill(app);
        await outcome('probe-flushed', key);
      });
    }

    function tellOnly(pid, command) {
      cluster.send({ action: 'probe', receiverPid: String(pid), data: { id: command, command } });
    }

    it('receipts come of all who live, and an error for one that dies before, while its listeners run, or not at all after', async () => {
      const [app, other] = apps;
      kill(app);
      const before = byPid(await ask(cluster, agent, 'acked', { action: 'fact', options: FOR_EVER }));
      for (const [pid, { error }] of before) {
        if (pid === app) assert.equal(error.code, 'ERR_CLUTCH_NO_RECEIVER');
        else assert.equal(error, null);
      }
      assert.ok(before.has(agent) && before.has(other));

      const [mortal, survivor] = await whole();
      await ask(cluster, mortal, 'listenForEver', { action: 'endless' });
      const key = await begin(agent, 'ackedAndTell', { action: 'endless', options: FOR_EVER });
      await told(cluster, 'probe-heard', { pid: mortal });
      assert.ok(!isTold('probe-acked', key));
      kill(mortal);
      const meanwhile = byPid((await outcome('probe-acked', key)).results);
      assert.equal(meanwhile.get(mortal).error.code, 'ERR_CLUTCH_NO_RECEIVER');
      assert.equal(meanwhile.get(mortal).error.message, `${mortal} ended before it answered "endless"`);
      assert.deepEqual([meanwhile.get(agent).error, meanwhile.get(survivor).error], [null, null]);

      const [last] = await whole();
      const after = byPid(await ask(cluster, agent, 'acked', { action: 'fact', options: FOR_EVER }));
      kill(last);
      assert.equal(after.get(last).error, null);
    });

    it('a request ends with one that is replaced by a reload before it replies', async () => {
      const [app] = apps;
      const key = await begin(agent, 'askAndTell', { target: app, action: 'never', options: FOR_EVER });
      await told(cluster, 'probe-asked', { pid: app });
      cluster.kill('SIGHUP');
      const { error } = await outcome('probe-outcome', key);
      assert.deepEqual([error.code, error.message], ['ERR_CLUTCH_NO_RECEIVER', `${app} ended before it answered "never"`]);
      for (const pid of await whole()) {
        const { answer } = await ask(cluster, agent, 'ask', { target: pid, action: 'echo', data: 1 });
        assert.equal(answer.by, String(pid));
      }
    });

    it('a replier is not harmed by who asks and is gone when the answer is there', async () => {
      const [app] = apps;
      await begin(app, 'askAndTell', { target: 'agent', action: 'later', options: FOR_EVER });
      await told(cluster, 'probe-asked', { pid: agent });
      kill(app);
      const [first] = await whole();
      await ask(cluster, agent, 'answerNow');
      assert.equal((await ask(cluster, first, 'ask', { target: 'agent', action: 'echo', data: 2 })).answer.data, 2);
      assert.equal((await ask(cluster, agent, 'stats')).dropped, 0);
    });

    it('a request and flush() end with one that closes its channel and lives on', async () => {
      const [app] = apps;
      const key = await begin(agent, 'askAndTell', { target: app, action: 'never', options: FOR_EVER });
      await told(cluster, 'probe-asked', { pid: app });
      await ask(cluster, app, 'closeChannelAndStay');
      const { error } = await outcome('probe-outcome', key);
      assert.equal(error.code, 'ERR_CLUTCH_NO_RECEIVER');
      await ask(cluster, agent, 'flush');
      kill(app);
    });
  });
}

describe('a request whose replier is recycled', () => {
  it('ends with it', async () => {
    const cluster = await new Subject('embedded').start({ workers: 1, recycle: { requests: 1 } }, { env: { PROBE_PACKAGE: '' } });
    await cluster.ready();
    const [app] = cluster.appPids();
    await ask(cluster, cluster.agentPid(), 'askAndTell', { key: 'recycled', target: app, action: 'never', options: FOR_EVER });
    await told(cluster, 'probe-asked', { pid: app });
    for (let count = 0; count < 3; count++) await getJson(cluster.options.port);
    const { error } = await told(cluster, 'probe-outcome');
    assert.deepEqual([error.code, error.message], ['ERR_CLUTCH_NO_RECEIVER', `${app} ended before it answered "never"`]);
  });
});
