'use strict';
// Workers are killed without any warning while clients never stop asking. Whatever request is lost was in the hands of one that was
// killed; nobody is refused, and nobody is left waiting.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { descriptors, descriptorsAtRest, memory } = require('../helpers/resources');
const { runFolder } = require('../helpers/run_folder');
const { Traffic } = require('../helpers/traffic');
const { until } = require('../helpers/waiting');

const WORKERS = 4;
const KILLS = Number(process.env.KILLS ?? 12);
const BASE_LIMIT_MS = 60000;
const KILL_LIMIT_MS = 20000;
// What is asked here is what becomes of connections: places are filled again as fast as can be, however many have died.
const RESTART = { backoff: '10ms..50ms', intensity: [1000000, '1s'] };
// Each is a client, where that matters.
const CLIENTS = Array.from({ length: 8 }, (_, client) => `127.0.0.${client + 1}`);
const MB = 1024 * 1024;

/** The same numbers for the same seed, so that a failure can be had again. */
function random(seed) {
  let state = seed;
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
}

describe('a cluster whose workers are killed at random', () => {
  const seed = Number(process.env.KILLS_SEED ?? Date.now() % 1_000_000);

  async function killUnderLoad(times, options) {
    const choose = random(seed);
    const handsFile = path.join(fs.mkdtempSync(path.join(runFolder(), 'hands-')), 'hands');
    const cluster = await startFolder('writes_junk', { workers: WORKERS, restart: RESTART, ...options }, { env: { HANDS_FILE: handsFile } });
    const { port } = await cluster.ready();
    await started(cluster, WORKERS - 1);
    const before = { descriptors: await descriptorsAtRest(cluster.pid, WORKERS + 1), memory: memory(cluster.pid) };
    const traffic = new Traffic(port, { clients: 8, paths: ['/', '/round'], addresses: CLIENTS });
    const victims = [];
    for (let count = 0; count < times; count++) {
      const living = startedPids(cluster).filter(pid => !victims.includes(pid));
      const victim = living[choose(living.length)];
      victims.push(victim);
      const answered = traffic.answered;
      traffic.kill(victim);
      // Sometimes the next one follows while the place of this one is still empty.
      if (choose(2)) await started(cluster, WORKERS + count);
      else await until(() => traffic.answered > answered + 20 || traffic.stopping, 'twenty answers after a kill');
      // Never all of them: the last one left would be killed before it is known to have been replaced.
      await cluster.waitFor(() => startedPids(cluster).length - victims.length >= 2, { what: 'two workers that serve' });
    }
    await started(cluster, WORKERS + times - 1);
    await traffic.stop();
    if (process.env.KILLS) console.log(`${times} killed: ${traffic.answered} answered, ${traffic.failures.length} lost with them`);
    assert.deepEqual(traffic.unexcused({ handsFile }, victims), []);
    assert.ok(traffic.answered > 20 * times);
    assert.equal(cluster.appPids().length, WORKERS);
    await until(() => descriptors(cluster.pid) <= before.descriptors, 'the master holds no descriptor of the dead');
    assert.ok(memory(cluster.pid) < before.memory + 64 * MB);
  }

  it(`loses no request but those in the hands of the dead (KILLS_SEED=${seed})`, async function () {
    this.timeout(BASE_LIMIT_MS + KILLS * KILL_LIMIT_MS);
    await killUnderLoad(KILLS);
  });

  it(`loses no more where connections are sticky (KILLS_SEED=${seed})`, async function () {
    this.timeout(BASE_LIMIT_MS + KILLS * KILL_LIMIT_MS);
    await killUnderLoad(Math.ceil(KILLS / 2), { sticky: true });
  });
});
