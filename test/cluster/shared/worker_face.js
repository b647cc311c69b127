'use strict';

// What a worker sees of itself: apps and libraries look at all of this.

const assert = require('node:assert/strict');
const path = require('node:path');

module.exports = service => describe('the face of a worker', () => {
  const facts = {};

  before(async () => {
    const [agent, ...apps] = await Promise.all(service.everybody.map(pid => service.ask(pid, 'facts')));
    apps.sort((a, b) => a.cluster.id - b.cluster.id);
    Object.assign(facts, { agent, apps, everybody: [agent, ...apps] });
  });

  it('is a child of the master', () => {
    for (const { ppid } of facts.everybody) assert.equal(ppid, service.cluster.pid);
  });

  it('is a worker of the cluster module, numbered from 1, if it is an app', () => {
    for (const [index, { cluster }] of facts.apps.entries()) {
      assert.deepEqual(cluster, { isWorker: true, isPrimary: false, id: index + 1, connected: true });
    }
  });

  it('is no worker of the cluster module if it is the agent', () => {
    assert.deepEqual(facts.agent.cluster, { isWorker: false, isPrimary: true });
    assert.equal(facts.agent.connected, true);
  });

  it('has three arguments: node, the worker script, the options', () => {
    for (const [role, { argv }] of [['agent', facts.agent], ...facts.apps.map(app => ['app', app])]) {
      assert.equal(argv.length, 3);
      assert.equal(path.basename(argv[1]), `${role}_worker.js`);
      assert.equal(JSON.parse(argv[2]).baseDir, service.cluster.options.baseDir);
    }
  });

  it('gets one and the same free clusterPort', () => {
    const ports = new Set(facts.everybody.map(({ argv }) => JSON.parse(argv[2]).clusterPort));
    assert.equal(ports.size, 1);
    assert.ok([...ports][0] > 0);
  });

  it("inherits the master's node flags, directory and environment", () => {
    for (const { execArgv, cwd, env } of facts.everybody) {
      assert.deepEqual(execArgv, ['--no-deprecation', '--max-http-header-size=20000']);
      assert.equal(cwd, process.cwd());
      assert.equal(env.PROBE_INHERITED, 'from the master');
    }
  });

  it('knows its place among the apps from its environment', () => {
    assert.deepEqual(facts.apps.map(({ env }) => env.CFORK_WORKER_INDEX), ['0', '1']);
    assert.deepEqual(facts.apps.map(({ env }) => env.CFORK_WORKER_COUNT), ['2', '2']);
    assert.equal(facts.agent.env.CFORK_WORKER_INDEX, undefined);
  });

  it('shows no listener of the start to an app that has started', async () => {
    for (const pid of service.apps) assert.equal(await service.ask(pid, 'listenerCount', 'startTimeout'), 0);
  });
});
