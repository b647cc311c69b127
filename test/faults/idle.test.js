'use strict';
// A cluster that has nothing to do does nothing. A thread that is never put on a processor makes no system call, and the kernel counts
// how often each is taken off one. With IDLE_SECONDS=60 (npm run soak:idle) the calls themselves are listed by strace as well.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { promisify } = require('node:util');
const { startFolder } = require('../helpers/folder_cluster');
const { runFolder } = require('../helpers/run_folder');

const SECONDS = Number(process.env.IDLE_SECONDS ?? 6);
const IS_LONG = SECONDS >= 60;
const LOOK_PERIOD_S = 5;
// USER_HZ, sysconf(3): what top counts in.
const TICK_MS = 10;
const WORKERS = 4;

/** Of every thread: its name, how often it has run, and for how long. */
function threads(pid) {
  const found = new Map();
  for (const tid of fs.readdirSync(`/proc/${pid}/task`)) {
    const read = file => fs.readFileSync(`/proc/${pid}/task/${tid}/${file}`, 'utf8');
    const [nanoseconds, , slices] = read('schedstat').split(' ').map(Number);
    found.set(tid, { name: read('comm').trim(), slices, cpuMs: nanoseconds / 1e6 });
  }
  return found;
}

function since(before, after) {
  return [...after].map(([tid, { name, slices, cpuMs }]) => {
    const old = before.get(tid) ?? { slices: 0, cpuMs: 0 };
    return { name, slices: slices - old.slices, cpuMs: cpuMs - old.cpuMs };
  });
}

/** What the start has left to do is done. */
async function settled(pids) {
  for (;;) {
    const before = pids.map(threads);
    await sleep(1000);
    const busy = pids.flatMap((pid, index) => since(before[index], threads(pid))).filter(({ slices }) => slices > 1);
    if (busy.length === 0) return;
  }
}

async function calls(pid) {
  const file = path.join(runFolder(), `strace-${pid}`);
  // strace(1) leaves with 124, as timeout(1) does, when its time is over.
  await promisify(execFile)('timeout', ['-s', 'INT', String(SECONDS), 'strace', '-f', '-p', String(pid), '-o', file]).catch(() => {});
  return fs.readFileSync(file, 'utf8').split('\n').filter(line => /^\d+ +\w+\(/.test(line));
}

describe('an idle cluster', () => {
  let cluster;
  let master;
  let workers;

  before(async () => {
    cluster = await startFolder('leaves_on_order', { workers: WORKERS });
    await cluster.ready();
    master = cluster.pid;
    workers = cluster.workers().map(({ pid }) => pid);
    assert.equal(workers.length, WORKERS + 1);
    await settled([master, ...workers]);
  });

  after(() => cluster.stop());

  it('runs nothing in its workers, and a look from time to time in its master', async function () {
    this.timeout((SECONDS + 60) * 1000);
    const pids = [master, ...workers];
    const before = pids.map(threads);
    await sleep(SECONDS * 1000);
    const [ofMaster, ...ofWorkers] = pids.map((pid, index) => since(before[index], threads(pid)));
    for (const of of ofWorkers) {
      // The other threads are V8's, which tidies up some seconds after the last work.
      const own = of.filter(({ name }) => name.startsWith('clutch'));
      assert.ok(own.length > 0, 'the guard is a thread of its own');
      assert.deepEqual(own.filter(({ slices }) => slices > 0), [], 'threads of ours ran in a worker');
    }
    const ran = ofMaster.filter(({ name, slices }) => name.startsWith('clutch') && slices > 0);
    assert.ok(ran.every(({ name }) => name === 'clutch-master'), JSON.stringify(ran));
    const slices = ran.reduce((sum, thread) => sum + thread.slices, 0);
    // One for all on the beat, after the first at each process; a look may be taken off its processor in the middle.
    const looks = WORKERS + 1 + 1 + Math.ceil(SECONDS / LOOK_PERIOD_S);
    assert.ok(slices <= 2 * looks, JSON.stringify(ran));
    const cpuMs = ran.reduce((sum, thread) => sum + thread.cpuMs, 0);
    console.log(`        the master ran ${slices} times, ${cpuMs.toFixed(1)} ms in ${SECONDS} s`);
    if (IS_LONG) assert.ok(cpuMs < TICK_MS, `${cpuMs} ms of the master's`);
  });

  if (!IS_LONG) return;

  it('makes no system call in its workers but for the timer of Node', async function () {
    this.timeout((SECONDS + 60) * 1000);
    const listed = await Promise.all([master, ...workers].map(calls));
    console.log(`        calls: master ${listed[0].length}, workers ${listed.slice(1).map(lines => lines.length).join(', ')}`);
    for (const lines of listed.slice(1)) {
      const others = lines.filter(line => !/ (epoll_p?wait|restart_syscall|futex|poll|read)\(.*(<unfinished|<detached|resumed|= )/.test(line));
      assert.deepEqual(others, []);
      assert.ok(lines.length <= 30, lines.join('\n'));
    }
  });
});
