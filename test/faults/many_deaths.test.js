'use strict';
// However many workers have died, the master holds no more than at the beginning: descriptors, threads, mappings, memory, zombies.
// DEATHS sets how many (npm run soak:deaths: 5000).

const assert = require('node:assert/strict');
const { startFolder, startedPids } = require('../helpers/folder_cluster');
const { holdings, memory } = require('../helpers/resources');
const { until } = require('../helpers/waiting');

const DEATHS = Number(process.env.DEATHS ?? 24);
const WORKERS = 4;
const MB = 1024 * 1024;
// What an allocator keeps, and the lines of the log that the master has written meanwhile.
const MORE_MEMORY = 48 * MB;

describe('a master whose workers die again and again', () => {
  it(`holds no more after ${DEATHS} deaths than after the first ones`, async function () {
    this.timeout(60000 + DEATHS * 2000);
    const restart = { backoff: '0ms', healthyAfter: '0ms', intensity: [1000000, '1s'] };
    const cluster = await startFolder('plain', { workers: WORKERS, restart });
    await cluster.ready();
    let killed = 0;
    const killUntil = async count => {
      while (killed < count) {
        // Soon, so that there is always one that boots, but never the only one that serves: three looks in a row at which nobody does, and
        // the master ends, so that the platform acts.
        await cluster.waitFor(() => startedPids(cluster)[killed + 1], { what: `worker number ${killed + 2}` });
        const pid = startedPids(cluster)[killed];
        process.kill(pid, 'SIGKILL');
        killed += 1;
      }
      await cluster.waitFor(() => startedPids(cluster).length === killed + WORKERS, { what: 'all places filled again' });
    };
    await killUntil(2 * WORKERS);
    const before = holdings(cluster.pid);
    const memoryBefore = memory(cluster.pid);
    await killUntil(DEATHS);
    const isBack = () => Object.entries(holdings(cluster.pid)).every(([what, count]) => count <= before[what]);
    await until(isBack, `no more of anything than ${JSON.stringify(before)}`);
    assert.ok(memory(cluster.pid) < memoryBefore + MORE_MEMORY, `${memoryBefore} → ${memory(cluster.pid)}`);
  });
});
