'use strict';
// Everybody talks to everybody, with data of every kind and size, while processes are killed and stopped at random. Whatever happens, what
// comes is whole and in order, nothing comes twice, and between two that live nothing is missing. In the end all memory is back.

const assert = require('node:assert/strict');
const { descriptors, memory } = require('../helpers/resources');
const { shared, switchboardOf } = require('../helpers/memory');
const { until } = require('../helpers/waiting');
const { Everybody } = require('./everybody');
const { planOf } = require('./plan');

const WORKERS = 6;
const MB = 1024 * 1024;
const SERIALIZATIONS = ['json', 'advanced'];
// `npm run test:chaos` sets them to the full size. Each serialization has its half.
const MESSAGES = Number(process.env.CHAOS_MESSAGES ?? 80_000) / SERIALIZATIONS.length;
const FAULTS = Math.ceil(Number(process.env.CHAOS_FAULTS ?? 12) / SERIALIZATIONS.length);
const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
const WATCHDOG_MS = 110_000 + MESSAGES / 5 + FAULTS * 20_000;

// What is kept for the next messages, by each sender; and the rings, as far as they were ever used.
const KEPT_BYTES = 3 * MB;
// /proc/self/pagemap, which is opened when the first Buffer in place is given back, and stays open.
const TABLE_OF_PAGES = 1;

function holdings(pids, masterPid) {
  return {
    master: { descriptors: descriptors(masterPid), memory: memory(masterPid) },
    descriptors: Math.max(...pids.map(descriptors)),
  };
}

/** Everybody has mapped everybody, himself included, and the master nobody. */
function isWhole(pid) {
  const { outbox, inbox } = switchboardOf(pid);
  // One's own memory once more, for writing.
  return outbox === WORKERS + 2 && inbox === WORKERS + 2;
}

async function assertAllIsBack({ pids, cluster }, before) {
  const isBack = pid => isWhole(pid)
    && switchboardOf(pid).segmentBytes <= (WORKERS + 2) * KEPT_BYTES
    && descriptors(pid) <= before.descriptors + TABLE_OF_PAGES
    && shared(pid) <= (WORKERS + 2) * (KEPT_BYTES + MB);
  const state = pid => ({ pid, ...switchboardOf(pid), shared: shared(pid), descriptors: descriptors(pid) });
  try {
    await until(() => pids.every(isBack), 'everybody gives back what was used');
  } catch (error) {
    throw new Error(`${error.message}, now ${JSON.stringify(pids.map(state))}, before ${JSON.stringify(before)}`, { cause: error });
  }
  await until(() => descriptors(cluster.pid) <= before.master.descriptors, 'the master holds no descriptor of the dead');
  assert.equal(switchboardOf(cluster.pid).outbox, 0);
  const grown = memory(cluster.pid) - before.master.memory;
  assert.ok(grown < 96 * MB, `the master has grown by ${grown} bytes`);
}

for (const serialization of SERIALIZATIONS) {
  describe(`processes that all talk to each other by ${serialization} and are killed and stopped at random (CHAOS_SEED=${SEED})`, function () {
    this.timeout(WATCHDOG_MS);

    it('lose, double and mix up nothing, and hold nothing in the end', async () => {
      const everybody = await Everybody.start({ workers: WORKERS, serialization });
      const { cluster } = everybody;
      await until(() => everybody.pids.every(isWhole), 'everybody knows everybody');
      const before = holdings(everybody.pids, cluster.pid);
      everybody.go();
      for (const { after, isKill, victim, stopMs } of planOf(SEED, FAULTS, MESSAGES)) {
        await everybody.reaches(after);
        await everybody.someUp();
        const pid = everybody.pids[victim % everybody.pids.length];
        if (isKill) everybody.kill(pid);
        else everybody.stop(pid, stopMs);
        assert.deepEqual(everybody.violations, []);
      }
      await everybody.reaches(MESSAGES);
      await everybody.allUp();
      await everybody.settle();
      await until(async () => await everybody.clear() === 0, 'nothing is kept in place any more');
      // Everybody sends once more, and then gives back what was needed before.
      await everybody.settle();
      assert.deepEqual(everybody.violations, []);
      await assertAllIsBack(everybody, before);
      assert.doesNotMatch(cluster.stdout + cluster.stderr, /was dropped|off the switchboard|by the master|panicked/);
    });
  });
}
