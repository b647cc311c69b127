'use strict';

// Who dies is replaced, and everybody is told. The cluster is whole again after each test.

const assert = require('node:assert/strict');
const { getJson } = require('../../helpers/http_client');

module.exports = service => describe('after a death', () => {
  const countOf = action => service.cluster.messages.filter(message => message?.action === action).length;
  const number = role => Math.max(...[...service.cluster.stdout.matchAll(new RegExp(`${role}_worker#(\\d+):`, 'g'))].map(found => Number(found[1])));

  /** Kills a process and resolves to the pid of the one that has started in its place. */
  async function replaced(role, pid, within = async () => {}) {
    const next = number(role) + 1;
    const died = countOf(`${role}-worker-died`);
    process.kill(pid, 'SIGKILL');
    await service.cluster.message(`${role}-worker-died`, { index: died });
    await within();
    const [, started] = await service.cluster.output(new RegExp(`${role}_worker#${next}:(\\d+) started`));
    return Number(started);
  }

  it('fills the place of a killed app with a new process, which serves and is told that all is ready', async () => {
    const [first, second] = service.apps;
    const { env } = await service.ask(first, 'facts');
    await service.forget();
    const stderrBefore = service.cluster.stderr.length;
    const pid = await replaced('app', first);
    assert.ok(![first, second].includes(pid));
    assert.deepEqual(service.apps.sort(), [second, pid].sort());
    const facts = await service.ask(pid, 'facts');
    assert.equal(facts.env.CFORK_WORKER_INDEX, env.CFORK_WORKER_INDEX);
    assert.equal(facts.cluster.id, 3);
    assert.equal((await service.ask(pid, 'when', { action: 'egg-ready' })).length, 1);
    assert.equal((await service.ask(second, 'when', { action: 'egg-ready' })).length, 1);
    assert.deepEqual(await service.ask(service.agent, 'received', 'egg-ready'), []);
    assert.deepEqual(await service.ask(service.agent, 'received', 'egg-pids'), [[second], [second, pid]]);
    assert.deepEqual(await service.ask(second, 'received', 'egg-pids'), []);
    assert.deepEqual(await service.ask(pid, 'received', 'egg-pids'), service.subject.layerVersion === 3 ? [[service.agent]] : []);
    const said = service.cluster.stderr.slice(stderrBefore);
    assert.match(said, new RegExp(String.raw`nodejs.AppWorkerDiedError: \[master\] app_worker#1:${first} died \(code: \w+, signal: SIGKILL, suicide: (false|undefined), state: dead\), current workers: \[[\d,]*${second},${pid}\]`));
    const [slave, count] = service.subject.layerVersion === 3 ? [', isSlave: false, slaveIndex: ', ', reforkCount: 1'] : ['', ''];
    for (const line of [
      `worker:${first} disconnect (exitedAfterDisconnect: false, state: disconnected, isDead: false, worker.disableRefork: false${slave})`,
      `new worker:${pid} fork (state: none${count})`,
      `worker:${first} exit (code: null, exitedAfterDisconnect: false, state: dead, isDead: true, isExpected: true, worker.disableRefork: false${slave})`,
    ]) assert.ok(said.includes(`[cfork:master:${service.cluster.pid}] ${line}\n`), `${line} is missing in:\n${said}`);
    assert.match(service.cluster.stdout, new RegExp(String.raw`\[master\] app_worker#1:${first} disconnect, suicide: (false|undefined), state: disconnected, current workers: \[.*\]`));
  });

  it('serves from the new app', async () => {
    const pids = new Set();
    while (pids.size < 2) pids.add((await getJson(service.cluster.options.port)).pid);
    assert.deepEqual([...pids].sort(), service.apps.sort());
  });

  it('forks a new agent after a second, without restarting an app, and tells the apps', async () => {
    const [agent, apps] = [service.agent, service.apps];
    await service.forget();
    const killedAt = Date.now();
    const pid = await replaced('agent', agent);
    assert.notEqual(pid, agent);
    assert.deepEqual(service.apps, apps);
    assert.equal(service.agent, pid);
    for (const app of apps) {
      assert.deepEqual(await service.ask(app, 'when', { action: 'egg-pids', count: 2 }), [[], [pid]]);
      assert.equal((await service.ask(app, 'when', { action: 'agent-start' })).length, 1);
      assert.deepEqual(await service.ask(app, 'received', 'egg-ready'), []);
    }
    const inFull = await service.ask(pid, 'when', { action: 'egg-pids' });
    assert.equal(inFull.length, 1);
    assert.deepEqual([...inFull[0]].sort(), [...apps].sort());
    assert.deepEqual((await service.ask(pid, 'raw', 'egg-ready')).length, 1);
    assert.match(service.cluster.stderr, new RegExp(String.raw`nodejs.AgentWorkerDiedError: \[master\] agent_worker#1:${agent} died \(code: null, signal: SIGKILL\)`));
    const waited = /try to start a new agent_worker after 1s \.\.\.\n(?:.*\n)*?(.{23}) .*new agent_worker starting\.\.\.\n/;
    const [, forked] = waited.exec(service.cluster.stdout);
    // The second counts from the death, and the master may come to its line about that a good while later.
    const after = Date.parse(forked.replace(',', '.')) - killedAt;
    assert.ok(after >= 990, `forked after ${after} ms`);
  });

  it("finds the new agent by an app's sendRandom", async () => {
    await service.forget();
    const [app] = service.apps;
    await service.ask(app, 'send', { method: 'sendRandom', args: ['news', 'for the agent'] });
    assert.deepEqual(await service.ask(service.agent, 'when', { action: 'news' }), ['for the agent']);
  });

  it('delivers sendTo between apps while there is no agent', async () => {
    await service.forget();
    const [first, second] = service.apps;
    await replaced('agent', service.agent, async () => {
      await service.ask(first, 'send', { method: 'sendTo', args: [second, 'news', 'without an agent'] });
      assert.deepEqual(await service.ask(second, 'when', { action: 'news' }), ['without an agent']);
    });
    assert.equal(service.cluster.ended, null);
  });

  it('tries again, however often a new app dies while it loads, until one serves', async () => {
    const [first, second] = service.apps;
    const { env } = await service.ask(first, 'facts');
    const next = number('app') + 1;
    service.letAppsDieAtLoad(true);
    process.kill(first, 'SIGKILL');
    for (const failed of [next, next + 1, next + 2]) await service.cluster.output(new RegExp(`app_worker#${failed}:\\d+ died \\(code: 7`));
    service.letAppsDieAtLoad(false);
    // Others may have looked at the cause before it went away.
    const served = () => [...service.cluster.stdout.matchAll(/app_worker#(\d+):(\d+) started at/g)].find(([, number]) => Number(number) > next + 2);
    const pid = Number((await service.cluster.waitFor(served, { what: 'one that serves' }))[2]);
    assert.deepEqual(service.apps.sort(), [second, pid].sort());
    assert.equal((await service.ask(pid, 'when', { action: 'egg-ready' })).length, 1);
    assert.equal((await service.ask(pid, 'facts')).env.CFORK_WORKER_INDEX, env.CFORK_WORKER_INDEX);
  });
});
