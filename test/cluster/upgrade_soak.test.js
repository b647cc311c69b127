'use strict';
// One upgrade after the other under clients of every kind, with new masters in between that are killed at random moments of their boot.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const processes = require('../helpers/processes');
const { runFolder } = require('../helpers/run_folder');
const { underLoad } = require('../helpers/reload_soak');
const { until } = require('../helpers/waiting');

// `npm run soak:upgrade` has many more.
const UPGRADES = Number(process.env.SOAK_UPGRADES ?? 1);
const PATIENCE_MS = 60000;
// A new master boots for much longer than the moment after which it is killed, so that it has not taken over by then.
const BOOT_MS = 1200;
const KILLED_WITHIN_MS = 400;

function last(cluster, pattern) {
  return Number([...cluster.stdout.matchAll(pattern)].at(-1)?.[1] ?? 0);
}

const booted = cluster => last(cluster, /upgrade: a new master boots, pid (\d+)/g);
const became = cluster => last(cluster, /upgrade: (\d+) is the master from now on/g);

it(`${UPGRADES} upgrades under clients of every kind, each after one whose new master is killed, lose no request`, async function () {
  this.timeout(120000 + UPGRADES * 60000);
  const pidFile = path.join(runFolder(), 'soak.pid');
  const { clusters: [cluster, other], end } = await underLoad({ pidFile }, { BOOT_MS });
  let { pid } = cluster;
  for (let upgrade = 0; upgrade < UPGRADES; upgrade += 1) {
    const before = booted(cluster);
    process.kill(pid, 'SIGUSR2');
    const doomed = await until(() => booted(cluster) !== before && booted(cluster), 'the boot of a new master', PATIENCE_MS);
    // A moment and no event is what is meant here.
    await pause(Math.random() * KILLED_WITHIN_MS);
    process.kill(doomed, 'SIGKILL');
    const isGivenUp = () => new RegExp(`upgrade given up: the new master ${doomed} `).test(cluster.stderr);
    await until(() => isGivenUp() || became(cluster) === doomed, 'the word of its end', PATIENCE_MS);
    assert.ok(isGivenUp(), 'it was killed before it took over');
    assert.equal(fs.readFileSync(pidFile, 'utf8'), String(pid));
    process.kill(pid, 'SIGUSR2');
    const heir = await until(() => became(cluster) !== 0 && became(cluster) !== pid && became(cluster), 'an upgrade', PATIENCE_MS);
    await until(() => !processes.look(pid) || processes.look(pid).state === 'Z', 'the end of the old master', PATIENCE_MS);
    assert.equal(fs.readFileSync(pidFile, 'utf8'), String(heir));
    pid = heir;
  }
  const { answered, failures } = await end();
  const sum = Object.values(answered).reduce((all, count) => all + count, 0);
  if (process.env.SOAK_UPGRADES) console.log(`${failures.length} failed of ${sum + failures.length}`, answered);
  assert.deepEqual(failures.slice(0, 20), []);
  other.kill();
  process.kill(pid, 'SIGTERM');
  await cluster.exit();
});
