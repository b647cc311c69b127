'use strict';
// Nobody reads what the master prints, or nobody is there any more to read it: lines are lost, and nothing else.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { get } = require('../helpers/http_client');
const { order, tell } = require('../helpers/orders');
const processes = require('../helpers/processes');
const { runFolder } = require('../helpers/run_folder');
const { until } = require('../helpers/waiting');

/** A request that finds another process than `known` serving. */
function newcomer(port, known) {
  return until(async () => {
    const { body } = await get(port).catch(() => ({}));
    return body && !known.includes(Number(body)) && Number(body);
  }, 'a new worker serves');
}

async function keepsSupervising(cluster, port, [victim, other]) {
  tell(cluster, other, 'flood', 20_000);
  assert.equal(await order(cluster, other, 'ping'), 'pong');
  process.kill(victim, 'SIGKILL');
  const successor = await newcomer(port, [victim, other]);
  assert.equal(await order(cluster, successor, 'ping'), 'pong');
  cluster.kill();
  assert.deepEqual(await cluster.masterExit(), { code: 0, signal: null });
}

describe('a master whose output nobody reads', () => {
  it('keeps supervising and stops in order, when the output is a socket as Node makes it', async () => {
    const cluster = await startFolder('floods_log');
    const { port } = await cluster.ready();
    await started(cluster, 1);
    const pids = startedPids(cluster);
    cluster.child.stdout.pause();
    cluster.child.stderr.pause();
    await keepsSupervising(cluster, port, pids);
    cluster.child.stdout.resume();
    cluster.child.stderr.resume();
  });

  it('keeps supervising and stops in order, when the output is a pipe as a shell makes it', async () => {
    const pipe = path.join(fs.mkdtempSync(path.join(runFolder(), 'pipe')), 'fifo');
    execFileSync('mkfifo', [pipe]);
    // Open for both, so that there is a reader that never reads.
    const output = fs.openSync(pipe, 'r+');
    try {
      const cluster = await startFolder('floods_log', {}, { stdio: ['ignore', output, output, 'ipc'] });
      const { port } = await cluster.ready();
      await keepsSupervising(cluster, port, cluster.appPids());
    } finally {
      fs.closeSync(output);
    }
  });

  it('says how many lines were lost when somebody reads again', async () => {
    const cluster = await startFolder('floods_log', {}, { env: { EGG_MASTER_LOGGER_LEVEL: 'WARN' } });
    await cluster.ready();
    const [pid, other] = cluster.appPids();
    cluster.child.stdout.pause();
    await order(cluster, pid, 'flood', 20_000);
    assert.equal(await order(cluster, other, 'ping'), 'pong');
    cluster.child.stdout.resume();
    const written = () => [...cluster.stdout.matchAll(/a message from app was ignored/g)].length;
    const lost = () => [...cluster.stdout.matchAll(/^\(the reader of this log stood still: (\d+) lines were lost\)$/gm)]
      .reduce((sum, [, lines]) => sum + Number(lines), 0);
    await cluster.waitFor(() => lost() > 0 && written() + lost() === 20_000, { what: 'every line, written or counted' });
  });
});

describe('a master whose parent dies, with the channel and the reader of its output', () => {
  for (const [when, wait] of [
    ['while it boots', cluster => cluster.message('master')],
    ['when it is ready', cluster => cluster.ready()],
  ]) {
    it(`goes on ${when}, keeps supervising, and stops in order`, async () => {
      const cluster = await startFolder('floods_log', {}, { starter: require.resolve('../fixtures/masters/of_a_mortal_parent') });
      await wait(cluster);
      const { data: pid } = await cluster.message('master');
      const master = processes.look(pid);
      cluster.kill('SIGKILL');
      await cluster.masterExit();
      const { port } = cluster.options;
      const first = await newcomer(port, []);
      process.kill(first, 'SIGKILL');
      await until(async () => processes.childrenOf(pid).length === 3 && !processes.look(first), 'the dead one is replaced');
      await newcomer(port, [first]);
      process.kill(pid, 'SIGTERM');
      assert.deepEqual(await processes.waitUntilGone(() => [master].filter(processes.isAlive)), []);
    });
  }
});
