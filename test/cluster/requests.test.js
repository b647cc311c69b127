'use strict';
// Questions and answers between the processes of a cluster: through shared memory, by Node's channel, between threads, and beside egg's
// own messenger.

const assert = require('node:assert/strict');
const { master } = require('../helpers/folder_cluster');
const { orderMaster } = require('../helpers/master_order');
const { ask, told } = require('../helpers/probe');
const { Subject } = require('./shared/subject');
const { WAYS, processes } = require('./shared/ways');

const INSTALL_LIMIT_MS = 300000;

for (const [way, { name, env, options, meet }] of Object.entries(WAYS)) {
  describe(`requests ${way}`, () => {
    const subject = new Subject(name);
    let cluster;
    let agent;
    let apps;

    before(async function () {
      this.timeout(INSTALL_LIMIT_MS);
      const { packageDir } = await subject.lay();
      cluster = await subject.start(await options(), {
        starter: master('asks_and_replies'), env: { ...env, PROBE_PACKAGE: packageDir },
      });
      ({ agent, apps } = await meet(cluster));
    });
    after(() => cluster.stop());

    const from = (pid, role) => ({ pid: String(pid), role });

    it('are answered by the agent, an app, and one pid', async () => {
      const [first, second] = apps;
      const data = { text: 'é€', list: [1, null] };
      const answer = { data, by: String(agent) };
      assert.deepEqual(await ask(cluster, first, 'ask', { target: 'agent', action: 'echo', data }), { answer: { ...answer, from: from(first, 'app') } });
      assert.deepEqual(await ask(cluster, first, 'ask', { target: 'random', action: 'echo', data }), { answer: { ...answer, from: from(first, 'app') } });
      for (const [asker, role] of [[agent, 'agent'], [first, 'app'], [second, 'app']]) {
        const outcome = await ask(cluster, asker, 'ask', { target: second, action: 'echo', data });
        assert.deepEqual(outcome, { answer: { data, from: from(asker, role), by: String(second) } });
      }
      for (const target of ['app', 'random']) {
        const { answer: { by } } = await ask(cluster, agent, 'ask', { target, action: 'echo', data });
        assert.ok(apps.map(String).includes(by), by);
      }
    });

    it('reach the master, and are asked by it', async () => {
      for (const [asker, role] of [[agent, 'agent'], [apps[0], 'app']]) {
        const outcome = await ask(cluster, asker, 'ask', { target: 'master', action: 'echo', data: 7 });
        assert.deepEqual(outcome, { answer: { data: 7, from: from(asker, role), by: 'master' } });
      }
      for (const [target, by] of [['agent', agent], [apps[1], apps[1]]]) {
        const { result } = await orderMaster(cluster, 'request', target, 'echo', 8);
        assert.deepEqual(result, { data: 8, from: from(cluster.pid, 'master'), by: String(by) });
      }
    });

    it('fail as the far side failed', async () => {
      const { error } = await ask(cluster, apps[0], 'ask', { target: 'agent', action: 'fail' });
      assert.deepEqual(error, {
        name: 'RangeError', message: 'the far side does not like it', code: 'E_FAR', cause: 'RangeError: the far side does not like it',
      });
      const answer = await orderMaster(cluster, 'request', apps[0], 'fail');
      assert.deepEqual(answer.error, { name: 'RangeError', message: 'the far side does not like it', code: 'E_FAR' });
    });

    it('end without anybody who replies, without anybody at all, and at their time-out', async () => {
      for (const question of [{ target: 'agent', action: 'unknown' }, { target: 4000000000, action: 'echo' }]) {
        const { error } = await ask(cluster, apps[0], 'ask', question);
        assert.equal(error.code, 'ERR_CLUTCH_NO_RECEIVER', error.message);
      }
      const { error } = await ask(cluster, agent, 'ask', { target: apps[0], action: 'never', options: { timeout: '50ms' } });
      assert.equal(error.code, 'ERR_CLUTCH_TIMEOUT', error.message);
      assert.equal((await orderMaster(cluster, 'request', 4000000000, 'echo')).error.code, 'ERR_CLUTCH_NO_RECEIVER');
    });

    it('with receipts come back when every listener has run, those that wait included', async () => {
      await ask(cluster, apps[0], 'listenSlowly', { action: 'slow', ms: 50 });
      const results = await ask(cluster, apps[1], 'acked', { action: 'slow', data: 'to all' });
      const result = (pid, role, listeners) => ({ pid: String(pid), role, listeners, error: null });
      const expected = [result(agent, 'agent', 0), result(apps[0], 'app', 1), result(apps[1], 'app', 0)];
      assert.deepEqual(results, expected.sort((a, b) => a.pid - b.pid));
      // On their way before the receipts were.
      assert.deepEqual(await told(cluster, 'probe-listened'), { pid: apps[0], data: 'to all' });
      if (subject.isEgg) assert.deepEqual(await told(cluster, 'probe-listened-egg'), { pid: apps[0], data: 'to all' });
      const ofMaster = await orderMaster(cluster, 'acked', 'unheard');
      assert.deepEqual(ofMaster.result.map(({ pid }) => pid).sort(), [agent, ...apps].map(String).sort());
    });

    it('show by flush() that all before was read', async () => {
      await ask(cluster, agent, 'flood', { method: 'sendToApp', args: ['news'], count: 3000 });
      await ask(cluster, agent, 'flush');
      for (const app of apps) assert.equal((await ask(cluster, app, 'received', 'news')).length, 3000);
      await orderMaster(cluster, 'flush');
    });
  });
}

describe('a request whose receiver ends', () => {
  for (const [way, env] of [['through shared memory', {}], ['by Node\'s channel', { EGG_CLUTCH_SWITCHBOARD: 'off' }]]) {
    it(`ends with it, ${way}`, async () => {
      const subject = new Subject('embedded');
      const cluster = await subject.start({}, { env: { ...env, PROBE_PACKAGE: '' }, starter: master('asks_and_replies') });
      const { agent, apps: [first, second] } = await processes(cluster);
      const question = { action: 'never', options: { timeout: '1h' } };
      await ask(cluster, agent, 'askAndTell', { key: 'pid', target: first, ...question });
      await told(cluster, 'probe-asked', { pid: first });
      const masters = orderMaster(cluster, 'request', first, 'never', 1, { timeout: '1h' });
      await told(cluster, 'probe-asked', { pid: first, index: 1 });
      process.kill(first, 'SIGKILL');
      const { error } = await told(cluster, 'probe-outcome');
      assert.equal(error.code, 'ERR_CLUTCH_NO_RECEIVER');
      assert.equal(error.message, `${first} ended before it answered "never"`);
      assert.equal((await masters).error.code, 'ERR_CLUTCH_NO_RECEIVER');
      await ask(cluster, second, 'askAndTell', { key: 'agent', target: 'agent', ...question });
      await told(cluster, 'probe-asked', { pid: agent });
      process.kill(agent, 'SIGKILL');
      const outcome = await cluster.waitFor(
        () => cluster.messages.find(message => message?.action === 'probe-outcome' && message.data.key === 'agent'), { what: 'the second outcome' });
      assert.equal(outcome.data.error.code, 'ERR_CLUTCH_NO_RECEIVER');
    });
  }

  it('does not keep a worker from leaving', async () => {
    const subject = new Subject('embedded');
    const cluster = await subject.start();
    const { agent, apps } = await processes(cluster);
    await ask(cluster, apps[0], 'askAndTell', { target: agent, action: 'never', options: { timeout: '1h' } });
    await told(cluster, 'probe-asked', { pid: agent });
    const { code } = await cluster.stop();
    assert.equal(code, 0);
  });
});
