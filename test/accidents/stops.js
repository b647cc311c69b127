'use strict';

// A cluster stops, or its master is killed.

const fs = require('node:fs');
const { setTimeout: pause } = require('node:timers/promises');
const { get } = require('../helpers/http_client');
const { IN_A_NAMESPACE, mayUnshare } = require('../helpers/pid_namespace');
const processes = require('../helpers/processes');
const { ask, told } = require('../helpers/probe');
const { signal } = require('./site');

// How long a request takes, and how long one is given to stand still.
const REQUEST_MS = 1000;

async function stop(site, { cluster }) {
  cluster.kill();
  const { code } = await cluster.masterExit({ timeoutMs: 60000 });
  return `ends with ${code}, ${await site.whoStays(cluster)}`;
}

module.exports = [{
  accident: 'SIGTERM to the master with a request of a second in flight',
  stock: 'cuts it, ends with 0',
  ours: 'answers it, ends with 0',
  async play(site) {
    const { cluster, port } = await site.startReady({}, { env: { EGG_APP_CLOSE_TIMEOUT: '5000' } });
    const answer = get(port, '/hold').then(() => 'answers it', () => 'cuts it');
    const { pid } = await told(cluster, 'probe-holding');
    cluster.kill();
    await pause(REQUEST_MS);
    signal(pid, 'SIGUSR2');
    const { code } = await cluster.masterExit();
    return `${await answer}, ends with ${code}`;
  },
}, {
  accident: 'the agent is blocked when the cluster stops',
  inCi: true,
  stock: 'ends with 0, agent stays',
  ours: 'ends with 0, nobody stays',
  async play(site) {
    const run = await site.startReady();
    await ask(run.cluster, run.agent, 'block');
    return stop(site, run);
  },
}, {
  accident: 'the master is killed while a worker is blocked',
  stock: 'worker stays',
  ours: 'nobody stays',
  async play(site) {
    const { cluster, apps } = await site.startReady();
    await ask(cluster, apps[0], 'block');
    cluster.kill('SIGKILL');
    return site.whoStays(cluster);
  },
}, {
  accident: 'a close that hangs',
  inCi: true,
  stock: 'ends with 0, nobody stays',
  ours: 'ends with 0, nobody stays',
  async play(site) {
    const run = await site.startReady();
    for (const pid of [...run.apps, run.agent]) await ask(run.cluster, pid, 'hangAtClose');
    return stop(site, run);
  },
}, {
  accident: 'a grandchild ignores SIGTERM when the cluster stops',
  inCi: true,
  stock: 'ends with 0, nobody stays',
  ours: 'ends with 0, nobody stays',
  async play(site) {
    const run = await site.startReady();
    await ask(run.cluster, run.apps[0], 'spawnChild', { how: 'stubborn' });
    return stop(site, run);
  },
}, {
  accident: 'a grandchild ignores SIGTERM, and its worker is killed by SIGKILL',
  // Whoever was asked to leave takes his descendants with him; nobody was asked here.
  stock: 'child stays',
  ours: 'child stays',
  async play(site) {
    const { cluster, apps } = await site.startReady();
    const child = await ask(cluster, apps[0], 'spawnChild', { how: 'stubborn' });
    signal(apps[0], 'SIGKILL');
    await site.hasStarted(cluster, 3);
    const isGone = await site.happens(() => !processes.look(child), 3000);
    return isGone ? 'nobody stays' : 'child stays';
  },
}, {
  accident: 'grandchildren that nobody reaps, under a master that is process 1',
  stock: 'all stay as zombies',
  ours: 'all are reaped',
  isPossible: mayUnshare,
  async play(site) {
    const settings = { ...IN_A_NAMESPACE };
    const { cluster } = await site.startReady({}, settings);
    const [master] = processes.childrenOf(cluster.pid);
    const inside = [...cluster.stdout.matchAll(/app_worker#\d+:(\d+) started at/g)].map(match => Number(match[1]));
    for (let orphan = 0; orphan < 5; orphan++) await ask(cluster, inside[0], 'leaveOrphan');
    const zombies = () => fs.readdirSync('/proc').map(name => processes.look(name)).filter(one => one?.ppid === master.pid && one.state === 'Z').length;
    await site.happens(() => zombies() === 5, 3000);
    const left = await site.happens(() => zombies() === 0, 3000) ? 0 : zombies();
    return left ? 'all stay as zombies' : 'all are reaped';
  },
}];
