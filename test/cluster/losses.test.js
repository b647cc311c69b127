'use strict';

// Losses beside the plain death of one worker, and stops that come in the middle of something.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { getJson } = require('../helpers/http_client');
const { assertInOrder } = require('../helpers/lines');
const { ask, told } = require('../helpers/probe');
const { runFolder } = require('../helpers/run_folder');
const { Subject } = require('./shared/subject');

const subject = new Subject('embedded');

describe('a cluster in service', () => {
  let cluster;
  let started = 2;

  before(async () => {
    cluster = await subject.start();
    await cluster.ready();
  });
  after(() => cluster.stop());

  /** The pid of the last of `count` new apps, when all of them serve. */
  async function next(count = 1) {
    let pid;
    for (const last = started + count; started < last;) {
      started += 1;
      [, pid] = await cluster.output(new RegExp(`app_worker#${started}:(\\d+) started at`));
    }
    return Number(pid);
  }

  it('replaces all apps at once, and answers who connects while there is none', async () => {
    const before = cluster.appPids();
    for (const pid of before) process.kill(pid, 'SIGSTOP');
    // The kernel takes the connection; nobody can answer it before there are new apps.
    const answers = [getJson(cluster.options.port), getJson(cluster.options.port)];
    for (const pid of before) process.kill(pid, 'SIGKILL');
    await next(2);
    for (const { pid } of await Promise.all(answers)) assert.ok(cluster.appPids().includes(pid));
    assert.equal(cluster.appPids().length, 2);
    assert.ok(!cluster.appPids().some(pid => before.includes(pid)));
  });

  it('replaces an app that exits by itself, with code 0', async () => {
    const [app] = cluster.appPids();
    await ask(cluster, app, 'exit', 0);
    const pid = await next();
    assert.match(cluster.stderr, new RegExp(String.raw`:${app} died \(code: 0, signal: null`));
    assert.equal((await ask(cluster, pid, 'facts')).pid, pid);
  });

  it('replaces an app that disconnects itself, once', async () => {
    const [app] = cluster.appPids();
    await ask(cluster, app, 'disconnect');
    const pid = await next();
    await cluster.output(new RegExp(`worker:${app} exit \\(code: 0, exitedAfterDisconnect: true`));
    assert.equal((await ask(cluster, pid, 'facts')).pid, pid);
    assert.equal(cluster.appPids().length, 2);
  });
});

describe('an agent that cannot come back', () => {
  const file = path.join(runFolder(), 'no-agent');

  it('is tried again every second until it gets ready', async () => {
    const cluster = await subject.start({}, { fault: { role: 'agent', how: 'throw', file } });
    await cluster.ready();
    fs.writeFileSync(file, '');
    process.kill(cluster.agentPid(), 'SIGKILL');
    for (const number of [2, 3]) await cluster.output(new RegExp(`agent_worker#${number}:\\d+ died \\(code: 1`));
    fs.rmSync(file);
    const [, pid] = await cluster.output(/agent_worker#(?:[4-9]|\d\d):(\d+) started/);
    assert.equal(cluster.agentPid(), Number(pid));
    assert.equal((await ask(cluster, Number(pid), 'when', { action: 'egg-ready' })).length, 1);
    assert.equal(cluster.appPids().length, 2);
  });
});

describe('a stop that comes early', () => {
  for (const role of ['agent', 'app']) {
    it(`while the ${role} still loads ends with 0, leaves nothing and is no failed start`, async () => {
      const cluster = await subject.start({}, { fault: { role, how: 'hang' } });
      await told(cluster, 'probe-fault');
      assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
      assert.equal(cluster.stderr, '');
      assertInOrder(cluster.stdout, ['master is killed by signal SIGTERM', '[master] close done, exiting with code:0\n', '[master] exit with code:0\n']);
    });
  }

  it('while a new agent is due ends with 0 and forks none', async () => {
    const cluster = await subject.start();
    await cluster.ready();
    process.kill(cluster.agentPid(), 'SIGKILL');
    await cluster.message('agent-worker-died');
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
    // It was due in a second, which a busy machine may have let go by before the signal.
    assert.doesNotMatch(cluster.stdout.slice(cluster.stdout.indexOf('master is killed by signal')), /agent_worker#\d:\d+ start/);
  });

  it('while a new app loads ends with 0, and the new app leaves as well', async () => {
    const file = path.join(runFolder(), 'no-app');
    const cluster = await subject.start({}, { fault: { role: 'app', how: 'hang', file } });
    await cluster.ready();
    fs.writeFileSync(file, '');
    process.kill(cluster.appPids()[0], 'SIGKILL');
    await told(cluster, 'probe-fault');
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
    fs.rmSync(file);
  });
});

describe('signals that come while the cluster closes', () => {
  it('are ignored if they are other stop signals', async () => {
    const cluster = await subject.start({}, { env: { EGG_APP_CLOSE_TIMEOUT: '1000' } });
    await cluster.ready();
    const apps = cluster.appPids();
    for (const pid of apps) await ask(cluster, pid, 'hangAtClose');
    cluster.kill('SIGTERM');
    for (const pid of apps) await cluster.output(`[probe] app ${pid} closes\n`);
    cluster.kill('SIGINT');
    cluster.kill('SIGQUIT');
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
    assert.doesNotMatch(cluster.stdout, /killed by signal (SIGINT|SIGQUIT)/);
  });
});
