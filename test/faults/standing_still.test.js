'use strict';
// Processes whose main thread does not come back to its event loop: seen, explained and replaced, and nobody else is.

const assert = require('node:assert/strict');
const { execFileSync, spawn } = require('node:child_process');
const { once } = require('node:events');
const { createInterface } = require('node:readline');
const http = require('node:http');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { makeCgroup } = require('../helpers/cgroup');
const { startFolder, started, startedPids, master } = require('../helpers/folder_cluster');
const { order, tell } = require('../helpers/orders');
const { runFolder } = require('../helpers/run_folder');
const { until } = require('../helpers/waiting');
const processes = require('../helpers/processes');

const SOON = { steerAfter: '200ms', killAfter: '1s' };
const SETTINGS = { env: { EGG_APP_CLOSE_TIMEOUT: '500', EGG_AGENT_CLOSE_TIMEOUT: '500' } };

/** A request whose worker does not answer; whatever becomes of it. */
function ask(port, url) {
  http.get({ port, path: url, agent: false }, response => response.resume()).on('error', () => {});
}

/** The pid of the next worker that stands still. */
async function still(cluster, index = 0) {
  const [, pid] = await cluster.waitFor(() => [...cluster.stdout.matchAll(/^still (\d+)$/gm)][index], { what: 'a worker that stands still' });
  return Number(pid);
}

const fifo = () => {
  const file = path.join(runFolder(), `fifo-${process.hrtime.bigint()}`);
  execFileSync('mkfifo', [file]);
  return file;
};

describe('a worker that stands still', () => {
  const ways = {
    spinForEver: [/at spinForEver \(.*still\.js/],
    matchBadly: [/at RegExp\.test|at matchBadly \(.*still\.js/],
    waitForEver: [/at waitForEver \(.*still\.js/],
    readForEver: [/no JavaScript stack: it is blocked outside of JavaScript/, fifo],
  };

  it('in the middle of a request, in whatever way, is told of, explained and replaced', async () => {
    const cluster = await startFolder('stands_still', { stuck: SOON, workers: 4 }, SETTINGS);
    const { port } = await cluster.ready();
    // Each by a worker of its own: they are dealt in turn.
    const asked = Object.entries(ways).map(([way, [explained, argument]], index) => {
      ask(port, `/${way}?argument=${argument?.() ?? ''}`);
      return { explained, index };
    });
    const replaced = await Promise.all(asked.map(async ({ explained, index }) => {
      const pid = await still(cluster, index);
      await cluster.output(new RegExp(`app_worker#\\d:${pid} stands still: it has not come back to its event loop for \\d+\\.\\ds, and gets no new`));
      await cluster.output(new RegExp(`app_worker#\\d:${pid} has stood still for \\d+\\.\\ds and is replaced`));
      await cluster.output(explained);
      await until(() => !processes.look(pid), 'the end of the one that stood still');
      return pid;
    }));
    await started(cluster, 7);
    assert.equal(new Set(replaced).size, 4);
  });

  it('between requests is seen as well, and so is the agent', async () => {
    const cluster = await startFolder('stands_still', { stuck: SOON }, SETTINGS);
    await cluster.ready();
    const agent = cluster.agentPid();
    tell(cluster, agent, 'spinForEver');
    await cluster.output(new RegExp(`agent_worker#1:${agent} has stood still for \\d+\\.\\ds and is replaced[^]*at Object.spinForEver`));
    await cluster.output(/agent_worker#2:\d+ started/);
    tell(cluster, cluster.appPids()[0], 'waitForEver');
    await cluster.output(/app_worker#1:\d+ has stood still for \d+\.\ds and is replaced[^]*at Object.waitForEver/);
    await started(cluster, 2);
  });

  it('goes on, and is left alone, where it comes back in time', async () => {
    const cluster = await startFolder('stands_still', { stuck: { steerAfter: '200ms' } }, SETTINGS);
    const { port } = await cluster.ready();
    ask(port, '/spinFor?argument=1500');
    const pid = await still(cluster);
    await cluster.output(new RegExp(`app_worker#\\d:${pid} stands still`));
    await cluster.output(new RegExp(`app_worker#\\d:${pid} goes on after it stood still for \\d+\\.\\ds`));
    assert.ok(cluster.appPids().includes(pid));
  });

  it('is taken for what it is where memory is shared with nobody else', async () => {
    const env = { ...SETTINGS.env, EGG_CLUTCH_SWITCHBOARD: 'off' };
    const cluster = await startFolder('stands_still', { stuck: SOON, workers: 1 }, { env });
    const { port } = await cluster.ready();
    ask(port, '/spinForEver');
    await cluster.output(/has stood still for \d+\.\ds and is replaced[^]*at spinForEver/);
    await started(cluster, 1);
  });

  it('explains itself although its app has its own idea of what a stack is', async () => {
    const cluster = await startFolder('stands_still', { stuck: SOON, workers: 1 }, SETTINGS);
    const { port } = await cluster.ready();
    await order(cluster, cluster.appPids()[0], 'parseStack');
    ask(port, '/spinForEver');
    await cluster.output(/is replaced[^]*at spinForEver/);
  });
});

describe('the stack of a process', () => {
  it('is told at any time, of one that stands still and of one that waits', async () => {
    const cluster = await startFolder('stands_still', { stuck: { killAfter: '1h' } }, { ...SETTINGS, starter: master('tells_stacks') });
    const { port } = await cluster.ready();
    const stack = async (id, index) => {
      cluster.send({ action: 'tell-stack', data: id });
      return (await cluster.message('stack', { index })).data;
    };
    ask(port, '/matchBadly');
    const pid = await still(cluster);
    const { data: event } = await cluster.message('stuck');
    assert.deepEqual({ stage: event.stage, role: event.role, pid: event.pid }, { stage: 'steer', role: 'app', pid });
    assert.match((await stack(event.id, 0)).stack, /at matchBadly \(.*still\.js/);
    assert.deepEqual(await stack('agent', 1), { stack: null });
    assert.deepEqual(await stack(77, 2), { code: 'ERR_CLUTCH_NO_RECEIVER' });
  });
});

describe('a worker that only seems to stand still', () => {
  /** Longer than its limit, in the eyes of the master: another one that does stand still is replaced meanwhile. */
  async function longerThanTheLimit(cluster, port) {
    const before = startedPids(cluster).length;
    // One of the two may be dealt to the one that is busy already.
    for (let count = 0; count < 2; count++) ask(port, '/spinForEver');
    await cluster.output(/is replaced/);
    await started(cluster, before);
    await pause(500);
  }

  it('is stopped by a signal, and lives on', async () => {
    const cluster = await startFolder('stands_still', { stuck: SOON }, SETTINGS);
    const { port } = await cluster.ready();
    ask(port, '/spinFor?argument=3000');
    const pid = await still(cluster);
    process.kill(pid, 'SIGSTOP');
    await longerThanTheLimit(cluster, port);
    assert.doesNotMatch(cluster.stderr, new RegExp(`${pid} has stood still`));
    process.kill(pid, 'SIGCONT');
    assert.ok(cluster.appPids().includes(pid));
  });

  it('is traced, and lives on', async () => {
    const cluster = await startFolder('stands_still', { stuck: SOON }, SETTINGS);
    const { port } = await cluster.ready();
    ask(port, '/spinFor?argument=3000');
    const pid = await still(cluster);
    // ptrace(2): PTRACE_ATTACH stops it, and the end of the tracer lets it go on.
    const attach = 'import ctypes,sys; r=ctypes.CDLL(None).ptrace(16,int(sys.argv[1]),0,0); print(r,flush=True); sys.stdin.read()';
    const tracer = spawn('python3', ['-c', attach, String(pid)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [said] = await once(createInterface(tracer.stdout), 'line');
    assert.equal(said, '0');
    await until(() => processes.look(pid).state === 't', 'the stop of the traced');
    await longerThanTheLimit(cluster, port);
    assert.doesNotMatch(cluster.stderr, new RegExp(`${pid} has stood still`));
    tracer.stdin.end();
    await once(tracer, 'exit');
    assert.ok(cluster.appPids().includes(pid));
  });

  it('is throttled by its cgroup, and lives on', async () => {
    const { group, why } = makeCgroup('cpu');
    if (!group) return void console.log(`      not tried here, the simulator does: ${why}`);
    const cluster = await startFolder('stands_still', { stuck: SOON }, SETTINGS);
    try {
      await cluster.ready();
      await started(cluster, 1);
      const [throttled, other] = startedPids(cluster);
      group.add(throttled);
      group.limitProcessor(0.02);
      tell(cluster, throttled, 'spinFor', 3000);
      await until(() => group.timesThrottled() > 5, 'it is throttled');
      tell(cluster, other, 'spinForEver');
      await cluster.output(`${other} has stood still`);
      await started(cluster, 2);
      assert.doesNotMatch(cluster.stdout + cluster.stderr, new RegExp(`${throttled} (stands|has stood) still`));
      assert.ok(cluster.appPids().includes(throttled));
      group.unlimitProcessor();
      await cluster.stop();
    } finally {
      cluster.destroy();
      await group.remove();
    }
  });

  it('is open to a debugger, and is never killed for it', async () => {
    const cluster = await startFolder('stands_still', { stuck: SOON }, SETTINGS);
    const { port } = await cluster.ready();
    const [first] = cluster.appPids();
    await order(cluster, first, 'openInspector');
    tell(cluster, first, 'spinForEver');
    await cluster.output(new RegExp(`${first} stands still`));
    await longerThanTheLimit(cluster, port);
    assert.ok(cluster.appPids().includes(first));
  });

  it('is in development, where nobody would replace it', async () => {
    const cluster = await startFolder('stands_still', { stuck: SOON, env: 'local' }, SETTINGS);
    await cluster.ready();
    const [first] = cluster.appPids();
    tell(cluster, first, 'spinFor', 2500);
    await cluster.output(new RegExp(`${first} goes on after it stood still for \\d+\\.\\ds`));
    assert.ok(cluster.appPids().includes(first));
  });
});

describe('the watch', () => {
  it('is off where it is not wanted', async () => {
    const cluster = await startFolder('stands_still', { stuck: false }, SETTINGS);
    await cluster.ready();
    const [first] = cluster.appPids();
    await order(cluster, first, 'spinFor', 1500);
    assert.doesNotMatch(cluster.stdout + cluster.stderr, /stands still/);
  });

});
