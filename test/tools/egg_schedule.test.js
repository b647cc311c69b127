'use strict';
// egg-schedule: the agent decides when, and by the messenger in which apps a task runs.

const assert = require('node:assert/strict');
const { startCluster } = require('../helpers/cluster');
const { freePort } = require('../helpers/free_port');
const { order } = require('../helpers/orders');
const { egg3App, INSTALL_LIMIT_MS } = require('./egg3_tools');

describe('egg-schedule', () => {
  let cluster;

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    const { baseDir, entry } = await egg3App('egg3_tools');
    cluster = startCluster({ baseDir, workers: 2, env: 'prod', port: await freePort() }, { entry });
    await cluster.ready();
  });
  after(() => cluster.stop());

  /** Who ran it, in order: [pid]. A task on order is known by its argument. */
  function runsOf(name, argument) {
    return cluster.messages
      .filter(({ action, data }) => action === 'task' && data.name === name && data.args?.[0] === argument)
      .map(({ data }) => data.pid);
  }

  function runs(name, count, argument) {
    return cluster.waitFor(() => runsOf(name, argument).length >= count && runsOf(name, argument), { what: `${count} runs of ${name}` });
  }

  /**
   * Has the agent send, and resolves to who ran it. The apps tell of the runs and the agent of their ends, each by a way of its own
   * to the parent: neither waits for the other.
   */
  async function sent(how, argument, count) {
    await order(cluster, cluster.agentPid(), how, argument);
    const ended = () => cluster.messages.filter(({ action, data }) => action === 'finished' && data.args[0] === argument).map(({ data }) => data);
    const finished = await cluster.waitFor(() => ended().length >= count && ended(), { what: `${count} ends of ${argument}` });
    assert.ok(finished.every(({ success }) => success));
    const pids = [...await runs('on_order', count, argument)].sort();
    assert.deepEqual(finished.map(({ workerId }) => workerId).sort(), pids);
    return pids;
  }

  async function successorOf(role, before) {
    return cluster.waitFor(() => cluster.messages.find(({ action, data }) =>
      action === 'up' && cluster.pids(role).includes(data.pid) && !before.includes(data.pid))?.data.pid, { what: `a new ${role}` });
  }

  const sorted = pids => [...pids].sort();

  it('has one app run a task of type worker, and every app one of type all', async () => {
    const [pid] = await runs('one_app', 1);
    assert.ok(cluster.appPids().includes(pid));
    assert.deepEqual(sorted(await runs('all_apps', 2)), sorted(cluster.appPids()));
  });

  it("has apps run tasks of a type of the app's own, when its agent wants it", async () => {
    const [pid, ...others] = await sent('sendOne', 'to one', 1);
    assert.ok(cluster.appPids().includes(pid));
    assert.deepEqual(others, []);
    assert.deepEqual(await sent('sendAll', 'to all', 2), sorted(cluster.appPids()));
  });

  it('finds the app that took the place of a killed one', async () => {
    const before = cluster.appPids();
    process.kill(before[0], 'SIGKILL');
    const successor = await successorOf('app', before);
    assert.deepEqual(await sent('sendAll', 'to all, after a death', 2), sorted([before[1], successor]));
    for (let time = 0; time < 10; time++) {
      const [pid] = await sent('sendOne', `to one, after a death, ${time}`, 1);
      assert.ok(cluster.appPids().includes(pid));
    }
  });

  it('goes on in the agent that took the place of a killed one', async () => {
    const before = cluster.agentPid();
    process.kill(before, 'SIGKILL');
    await successorOf('agent', [before]);
    const [, again] = await runs('one_app', 2);
    assert.ok(cluster.appPids().includes(again));
    const all = await runs('all_apps', 4);
    assert.deepEqual(sorted(all.slice(2)), sorted(cluster.appPids()));
    assert.deepEqual(await sent('sendAll', 'by the new agent', 2), sorted(cluster.appPids()));
  });

  it('has run nothing twice', () => {
    assert.deepEqual([runsOf('one_app').length, runsOf('all_apps').length], [2, 4]);
  });
});
