'use strict';
// The ways that a message between two members of a cluster can go: what to start for each, and who the members are then.

const path = require('node:path');
const { freePort } = require('../../helpers/free_port');
const { ask } = require('../../helpers/probe');

const THREAD_AGENT = 1;
const WITHOUT_ADDON = path.join(__dirname, '..', '..', 'fixtures', 'preloads', 'without_addon.js');

/** Resolves to the pids of the agent and of the apps, when the cluster is ready. */
async function processes(cluster) {
  await cluster.ready();
  return { agent: cluster.agentPid(), apps: cluster.appPids() };
}

async function threads(cluster) {
  await cluster.ready();
  const told = await ask(cluster, THREAD_AGENT, 'when', { action: 'egg-pids' });
  return { agent: THREAD_AGENT, apps: told.at(-1) };
}

const inProcesses = { env: {}, options: async () => ({}), meet: processes, hasThreads: false };

/** `name` is that of a Subject; `meet` resolves to { agent, apps } of a cluster that was started with `options()` and `env`. */
const WAYS = {
  'through shared memory': { ...inProcesses, name: 'embedded' },
  'by Node\'s channel': { ...inProcesses, name: 'embedded', env: { EGG_CLUTCH_SWITCHBOARD: 'off' } },
  'with one that has no addon': { ...inProcesses, name: 'embedded', env: { NODE_OPTIONS: `--require ${WITHOUT_ADDON}` } },
  'on egg 3': { ...inProcesses, name: 'egg 3' },
  'between threads': {
    name: 'embedded', env: {}, options: async () => ({ startMode: 'worker_threads', ports: [await freePort(), await freePort()] }),
    meet: threads, hasThreads: true,
  },
};

module.exports = { WAYS, WITHOUT_ADDON, processes };
