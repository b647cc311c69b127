'use strict';

// How startCluster is called, and what the process that started the master may do or lack.

const assert = require('node:assert/strict');
const path = require('node:path');
const { getJson } = require('../helpers/http_client');
const { ask, told } = require('../helpers/probe');
const processes = require('../helpers/processes');
const { scenario } = require('./contract');

const starter = file => path.join(__dirname, '..', 'fixtures', 'masters', file);

const actions = ({ messages }) => messages.map(({ action }) => action);

/** For masters that are not children of ours. */
function workersOf(master) {
  const workers = processes.workersOf(master);
  return { agent: workers.find(({ role }) => role === 'agent').pid, app: workers.find(({ role }) => role === 'app').pid };
}

/** Kills the only app and then the agent of a master, and waits for those in their place. */
async function loseAll(cluster, master) {
  const { app, agent } = workersOf(master);
  process.kill(app, 'SIGKILL');
  await cluster.output(/app_worker#2:\d+ started at/);
  process.kill(agent, 'SIGKILL');
  await cluster.output(/agent_worker#2:\d+ started/);
}

scenario('startCluster called by a wrapper', {
  async start(subject) {
    const cluster = await subject.start({ env: undefined, workers: 1 }, {
      starter: starter('calls_as_a_wrapper.js'),
      env: { EGG_SERVER_ENV: 'of-the-parent' },
      fault: { role: 'app', how: 'hold' },
    });
    const { pid } = await told(cluster, 'probe-fault');
    return Object.assign(cluster, { app: pid, agent: cluster.agentPid() });
  },
}, (line, step) => {
  line('1.1', async cluster => {
    assert.deepEqual(cluster.workers().map(({ role }) => role).sort(), ['agent', 'app']);
    for (const pid of [cluster.agent, cluster.app]) assert.equal((await ask(cluster, pid, 'facts')).ppid, cluster.pid);
    assert.ok(actions(cluster).indexOf('returned') < actions(cluster).indexOf('probe-booting'), 'it returns at once');
  });

  line('1.3', async cluster => {
    const { data: { kind, isPromise } } = await cluster.message('returned');
    assert.deepEqual({ kind, isPromise }, { kind: 'AsyncFunction', isPromise: true });
    await ask(cluster, cluster.app, 'facts');
    assert.ok(!actions(cluster).includes('resolved'));
  });

  line('1.5', async cluster => {
    for (const pid of [cluster.agent, cluster.app]) {
      const { argv, env } = await ask(cluster, pid, 'facts');
      assert.equal(JSON.parse(argv.at(-1)).env, 'of-the-wrapper');
      assert.equal(env.PROBE_SET_BEFORE, 'the call');
      assert.equal(env.PROBE_SET_AFTER, 'the call');
    }
  });

  step('the app gets ready', async cluster => {
    await ask(cluster, cluster.app, 'go');
    await cluster.ready();
  }, line => {
    line('1.3', async cluster => {
      await cluster.message('resolved');
      assert.ok(actions(cluster).indexOf('resolved') > actions(cluster).indexOf('egg-ready'));
    });

    line('1.4', async cluster => assert.equal((await getJson(cluster.options.port)).pid, cluster.app));
  });
});

scenario('startCluster called with options that do not validate', {
  of: ({ version }) => version === 3,
  start: subject => subject.start({ baseDir: '/no/such/app' }, { starter: starter('calls_as_a_wrapper.js') }),
}, line => {
  line('1.3', async cluster => {
    const { data: { name, message } } = await cluster.message('rejected');
    assert.deepEqual({ name, message }, { name: 'AssertionError', message: '/no/such/app/package.json should exist' });
  });
});

scenario('a master without a channel', {
  async start(subject) {
    const cluster = await subject.start({ workers: 1 }, { starter: starter('without_channel.js') });
    const { data: { master } } = await cluster.message('spawned');
    await cluster.output(/started on http/);
    return { cluster, master };
  },
}, (line, step) => {
  line('1.6', async ({ cluster }) => {
    assert.equal(cluster.stderr, '');
    assert.equal(typeof (await getJson(cluster.options.port)).pid, 'number');
  });

  step('it loses an app and the agent, and is stopped', async ({ cluster, master }) => {
    await loseAll(cluster, master);
    process.kill(master, 'SIGTERM');
    await cluster.exit();
  }, line => {
    line('1.6', async ({ cluster }) => {
      assert.deepEqual((await cluster.message('master-exit')).data, { code: 0, signal: null });
      assert.match(cluster.stderr, /AppWorkerDiedError[^]*AgentWorkerDiedError/);
      assert.doesNotMatch(cluster.stderr, /process\.send|channel|TypeError|uncaughtException|ERR_/i);
    });
  });
});

scenario('a master whose parent disconnects and ends', {
  async start(subject) {
    const cluster = await subject.start({ workers: 1 }, { starter: starter('daemon.js') });
    const { data: { master } } = await cluster.message('let go');
    return { cluster, master, end: await cluster.masterExit() };
  },
}, (line, step) => {
  line('1.7', async ({ cluster, master, end }) => {
    assert.deepEqual(end, { code: 0, signal: null });
    assert.ok(processes.isAlive(processes.look(master)));
    assert.equal(typeof (await getJson(cluster.options.port)).pid, 'number');
    assert.equal(cluster.stderr, '');
  });

  step('it loses an app and the agent, and is stopped', async ({ cluster, master }) => {
    await loseAll(cluster, master);
    process.kill(master, 'SIGTERM');
    await cluster.exit();
  }, line => {
    line('1.7', ({ cluster }) => {
      assert.match(cluster.stderr, /AppWorkerDiedError[^]*AgentWorkerDiedError/);
      assert.doesNotMatch(cluster.stderr, /channel|EPIPE|uncaughtException|ERR_/i);
      assert.match(cluster.stdout, /\[master\] exit with code:0\n/);
    });
  });
});
