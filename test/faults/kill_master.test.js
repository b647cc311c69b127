'use strict';
// The master is killed at a random moment of a random life, by a signal that nobody can catch. Whatever its processes are doing then,
// a close time-out and a second later none of them is there. KILL_MASTER_TRIALS sets how often (npm run soak:kill-master: 300),
// KILL_MASTER_SEED where it begins.

const { setTimeout: pause } = require('node:timers/promises');
const http = require('node:http');
const { startFolder } = require('../helpers/folder_cluster');
const { tell } = require('../helpers/orders');
const assert = require('node:assert/strict');

const TRIALS = Number(process.env.KILL_MASTER_TRIALS ?? 10);
const SEED = Number(process.env.KILL_MASTER_SEED ?? Date.now() % 1_000_000);
const AT_ONCE = process.env.KILL_MASTER_TRIALS ? 2 : 5;
const CLOSE_MS = 500;
// The guard's second beyond the close time-out, and what a loaded machine takes to carry it out.
const LIMIT_MS = CLOSE_MS + 1000 + 10000;

/** The same numbers for the same seed, so that a failure can be had again. */
function random(seed) {
  let state = seed + 1;
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

function ask(port, path) {
  http.get({ port, path, agent: false }, response => response.resume()).on('error', () => {});
}

const MOMENTS = {
  async boot(cluster, choose) {
    await pause(choose(1200));
  },
  async serving(cluster, choose) {
    await cluster.ready();
    await pause(choose(100));
  },
  async reload(cluster, choose) {
    await cluster.ready();
    cluster.send({ action: 'reload-worker', to: 'master' });
    await pause(choose(1500));
  },
  async stop(cluster, choose) {
    await cluster.ready();
    cluster.kill('SIGTERM');
    await pause(choose(CLOSE_MS + 200));
  },
};

const STATES = {
  well: () => {},
  spinning: (cluster, port) => ask(port, '/spinForEver'),
  matching: (cluster, port) => ask(port, '/matchBadly'),
  blocked: (cluster, port) => ask(port, '/waitForEver'),
  agent_spinning: cluster => tell(cluster, cluster.agentPid(), 'spinForEver'),
  agent_blocked: cluster => tell(cluster, cluster.agentPid(), 'waitForEver'),
  stopped: cluster => process.kill(cluster.appPids()[0], 'SIGSTOP'),
};

async function trial(seed) {
  const choose = random(seed);
  const pick = object => Object.keys(object)[choose(Object.keys(object).length)];
  const [moment, state] = [pick(MOMENTS), pick(STATES)];
  const settings = { env: { EGG_APP_CLOSE_TIMEOUT: String(CLOSE_MS), EGG_AGENT_CLOSE_TIMEOUT: String(CLOSE_MS) } };
  const cluster = await startFolder('stands_still', { stuck: choose(2) ? undefined : false }, settings);
  if (moment !== 'boot') {
    const { port } = await cluster.ready();
    STATES[state](cluster, port);
    // Sometimes it is in that state already, and sometimes on its way there.
    await pause(choose(300));
  }
  await MOMENTS[moment](cluster, choose);
  cluster.kill('SIGKILL');
  try {
    await cluster.assertNothingLeft(LIMIT_MS);
  } catch (error) {
    throw new Error(`KILL_MASTER_SEED=${seed} (${moment}, ${state}): ${error.message}`, { cause: error });
  }
  return `${moment} ${state}`;
}

describe('a master that is killed by SIGKILL', () => {
  it(`leaves nothing, at any of ${TRIALS} random moments (KILL_MASTER_SEED=${SEED})`, async function () {
    this.timeout(60000 + TRIALS * 15000);
    const seen = new Map();
    for (let first = 0; first < TRIALS; first += AT_ONCE) {
      const seeds = Array.from({ length: Math.min(AT_ONCE, TRIALS - first) }, (_, one) => SEED + first + one);
      for (const kind of await Promise.all(seeds.map(trial))) seen.set(kind, (seen.get(kind) ?? 0) + 1);
      if (process.env.KILL_MASTER_TRIALS) process.stdout.write(`${first + seeds.length} `);
    }
    assert.ok(seen.size > 1);
  });
});
