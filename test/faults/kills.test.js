'use strict';
// Workers are killed without any warning while clients never stop asking. Whatever request is lost was in the hands of one that was
// killed; nobody is refused, and nobody is left waiting.

const assert = require('node:assert/strict');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { descriptors, descriptorsAtRest, memory } = require('../helpers/resources');
const { Traffic } = require('../helpers/traffic');
const { until } = require('../helpers/waiting');

const WORKERS = 4;
const KILLS = Number(process.env.KILLS ?? 12);
const BASE_LIMIT_MS = 60000;
const KILL_LIMIT_MS = 20000;
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
    const cluster = await startFolder('writes_junk', { workers: WORKERS, ...options });
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
      process.kill(victim, 'SIGKILL');
      // Sometimes the next one follows while the place of this one is still empty.
      if (choose(2)) await started(cluster, WORKERS + count);
      else await cluster.waitFor(() => traffic.answered > answered + 20, { what: 'twenty answers after a kill' });
      // Never all of them: the last one left would be killed before it is known to have been replaced.
      await cluster.waitFor(() => startedPids(cluster).length - victims.length >= 2, { what: 'two workers that serve' });
    }
    await started(cluster, WORKERS + times - 1);
    await traffic.stop();
    assert.deepEqual(traffic.unexcused(cluster, victims), []);
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
