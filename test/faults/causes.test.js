'use strict';
// Each death has its cause on record: an event for code, a line for people, and the last of each place in the status.

const assert = require('node:assert/strict');
const { execFileSync, spawn } = require('node:child_process');
const http = require('node:http');
const { makeCgroup } = require('../helpers/cgroup');
const { startFolder, started, master } = require('../helpers/folder_cluster');
const { order, tell } = require('../helpers/orders');
const processes = require('../helpers/processes');

const CLOSE = { EGG_APP_CLOSE_TIMEOUT: '1000', EGG_AGENT_CLOSE_TIMEOUT: '1000' };

/** A cluster whose deaths are told. */
class Mortal {
  #deaths = 0;
  #started = 2;

  static async start(options = {}, { env, ...settings } = {}) {
    const mortal = new Mortal();
    mortal.cluster = await startFolder('dies_in_many_ways', options, { starter: master('tells_deaths'), ...settings, env: { ...CLOSE, ...env } });
    const { port } = await mortal.cluster.ready();
    mortal.port = port;
    return mortal;
  }

  get app() {
    return this.cluster.appPids()[0];
  }

  /** Has a process die, and resolves to its cause. */
  async death(pid, kill) {
    const isApp = pid !== this.cluster.agentPid();
    await kill(pid);
    const { data } = await this.cluster.message('death', { index: this.#deaths });
    this.#deaths += 1;
    assert.equal(data.cause.pid, pid);
    assert.deepEqual(data.last.find(({ slot }) => slot === data.cause.slot), data.cause);
    await this.cluster.output(`${pid} ended while ${data.cause.phase}, after `);
    if (isApp) await started(this.cluster, this.#started);
    if (isApp) this.#started += 1;
    else await this.cluster.output(/agent_worker#2:\d+ started/);
    return data.cause;
  }

  async order(command, argument) {
    return this.death(this.app, pid => { tell(this.cluster, pid, command, argument); });
  }
}

/** Sent by a shell, which is still there when it arrives. */
function shellKills(pid, signal) {
  execFileSync('/bin/sh', ['-c', `kill -${signal} ${pid}; while kill -0 ${pid} 2>/dev/null; do sleep 0.05; done`]);
}

describe('the cause of a death', () => {
  let mortal;
  before(async () => { mortal = await Mortal.start(); });
  after(() => mortal.cluster.stop());

  it('is the place of process.exit in a timer, with its code', async () => {
    const cause = await mortal.order('exitInTimer', 7);
    assert.equal(cause.kind, 'exited');
    assert.deepEqual([cause.code, cause.signal, cause.phase, cause.role], [7, null, 'serving', 'app']);
    assert.match(cause.exitedAt, /^at Timeout\..*ways\.js:\d+/);
    assert.match(cause.words, /^its own code ended it with code 7, at Timeout/);
    assert.ok(cause.uptimeMs > 0 && cause.peakMemory > 1 << 20);
  });

  it('is told of a code 0 that nobody asked for as well', async () => {
    const cause = await mortal.order('exitInTimer', 0);
    assert.deepEqual([cause.kind, cause.code], ['exited', 0]);
    assert.match(cause.words, /^its own code ended it with code 0, at Timeout/);
  });

  it('is the error that nobody caught', async () => {
    await order(mortal.cluster, mortal.app, 'forgetHandlers');
    const cause = await mortal.order('throwInTimer');
    assert.equal(cause.kind, 'uncaught-error');
    assert.match(cause.uncaught, /^Error: nobody catches this\n\s+at .*ways\.js/);
    assert.match(cause.words, /^an error that nobody caught: Error: nobody catches this at .*ways\.js/);
  });

  it('is abort', async () => {
    const cause = await mortal.order('abort');
    assert.deepEqual([cause.kind, cause.signal], ['aborted', 'SIGABRT']);
  });

  it('is a fault', async () => {
    const cause = await mortal.order('fault');
    assert.deepEqual([cause.kind, cause.signal], ['fault', 'SIGSEGV']);
    assert.match(cause.words, /^SIGSEGV in native code/);
  });

  it('is SIGKILL from nobody knows whom, in the middle of a request', async () => {
    http.get({ port: mortal.port, path: '/hold', agent: false }).on('error', () => {});
    const [, holder] = await mortal.cluster.output(/holds (\d+)/);
    const cause = await mortal.death(Number(holder), pid => { process.kill(pid, 'SIGKILL'); });
    assert.deepEqual([cause.kind, cause.signal, cause.sentBy], ['killed', 'SIGKILL', null]);
    assert.match(cause.words, /^SIGKILL; the kernel does not tell by whom/);
    assert.deepEqual([cause.requests, cause.inFlight], [1, 1]);
    await mortal.cluster.output(/ended while serving, .*; 1 requests unanswered/);
  });

  for (const [signal, command] of [['HUP', null], ['TERM', null], ['INT', 'SIGINT']]) {
    it(`is SIG${signal}, and who sent it`, async () => {
      // A listener that has come and gone has put libuv's handler in the place of ours.
      if (command) await order(mortal.cluster, mortal.app, 'listenAnew', command);
      const cause = await mortal.death(mortal.app, pid => shellKills(pid, signal));
      assert.equal(cause.kind, 'killed');
      const { signal: sent, uid, command: name, isMaster } = cause.sentBy;
      assert.deepEqual({ sent, uid, name, isMaster }, { sent: `SIG${signal}`, uid: process.getuid(), name: 'sh', isMaster: false });
      assert.match(cause.words, new RegExp(`^SIG${signal} by process ${cause.sentBy.pid} \\(sh\\) of user \\d+$`));
    });
  }

  it('is a signal of another user, and which', async () => {
    // Who may signal others than its own needs privileges: the real user is who is told, and the effective one is who may.
    if (process.getuid() !== 0) return;
    // It stays until the other one is gone, so that there is somebody to be told of.
    const asNobody = `import os, sys, time
os.setresuid(65534, 0, 0)
os.kill(int(sys.argv[1]), 15)
while os.path.exists('/proc/' + sys.argv[1]): time.sleep(0.05)`;
    const cause = await mortal.death(mortal.app, pid => { execFileSync('python3', ['-c', asNobody, String(pid)]); });
    assert.deepEqual([cause.kind, cause.sentBy.signal, cause.sentBy.uid], ['killed', 'SIGTERM', 65534]);
    assert.match(cause.words, /^SIGTERM by process \d+ \(.+\) of user 65534$/);
  });

  it("is the agent's as well", async () => {
    const cause = await mortal.death(mortal.cluster.agentPid(), pid => { tell(mortal.cluster, pid, 'exitInTimer', 3); });
    assert.deepEqual([cause.kind, cause.role, cause.slot, cause.code], ['exited', 'agent', null, 3]);
  });
});

describe('the end of an agent while the cluster stops', () => {
  it('is told with its cause, as that of an app is', async () => {
    const { cluster } = await Mortal.start();
    const agent = cluster.agentPid();
    cluster.kill();
    const death = await cluster.waitFor(() => cluster.messages.find(({ action, data }) => action === 'death' && data.cause?.role === 'agent'),
      { what: "the agent's death" });
    const { pid, kind, phase, code } = death.data.cause;
    assert.deepEqual({ pid, kind, phase, code }, { pid: agent, kind: 'asked', phase: 'closing', code: 0 });
  });
});

describe('the stop of a master', () => {
  it('is told together with who sent the signal', async () => {
    const cluster = await startFolder('dies_in_many_ways');
    await cluster.ready();
    // It must be there when the signal arrives, and gone with this test.
    const shell = spawn('/bin/sh', ['-c', `kill -TERM ${cluster.pid}; read end`], { stdio: ['pipe', 'ignore', 'inherit'] });
    await cluster.output('SIGTERM was sent by');
    shell.stdin.end();
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
    assert.match(cluster.stdout, new RegExp(`master is killed by signal SIGTERM, closing\n.*\\[master\\] SIGTERM was sent by process \\d+ \\(sh\\) of user ${process.getuid()}\n`));
  });
});

describe('the cause of a death by memory', () => {
  it('is the limit of the heap', async () => {
    const { cluster, ...rest } = await Mortal.start({ workers: 1 }, { execArgv: ['--max-old-space-size=48'] });
    const mortal = Object.assign(new Mortal(), { cluster, ...rest });
    tell(mortal.cluster, mortal.app, 'fillHeap');
    const { data: { cause } } = await cluster.message('death');
    assert.equal(cause.kind, 'heap-limit');
    assert.ok(cause.heapLimit >= 48 << 20 && cause.heapLimit < 200 << 20, String(cause.heapLimit));
    assert.match(cause.words, /^its JavaScript heap was full, the limit is \d+ MB$/);
  });

  const { group } = makeCgroup('memory');
  if (group) {
    after(() => group.remove());

    it('is the limit of its cgroup', async () => {
      const { cluster } = await Mortal.start({ workers: 1 }, { env: { PROBE_CGROUP: group.folder } });
      const before = processes.look(cluster.appPids()[0]);
      group.limitMemory(700 << 20);
      tell(cluster, before.pid, 'fillMemory');
      const { data: { cause } } = await cluster.message('death');
      assert.deepEqual([cause.kind, cause.signal], ['out-of-memory', 'SIGKILL']);
      assert.match(cause.words, /^the kernel killed it because its cgroup was out of memory$/);
      assert.ok(cause.peakMemory > 200 << 20);
      await started(cluster, 1);
    });
  }
});
