'use strict';

// Workers and agents die, and die again.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { startedPids, master } = require('../helpers/folder_cluster');
const { runFolder } = require('../helpers/run_folder');
const { makeCgroup } = require('../helpers/cgroup');
const { tell, signal } = require('./site');

// As often as they may, so that what follows is about how many, not about how fast.
const AT_ONCE = { restart: { backoff: '0ms', healthyAfter: '0ms', intensity: [1_000_000, '1s'] } };
// Enough for a small cluster.
const MEMORY = 700 << 20;
const EMPTY = 'the place stays empty';
const FILLED = 'the place is filled again';

/** A file; who boots while it exists has a fault. */
function cause() {
  return path.join(fs.mkdtempSync(path.join(runFolder(), 'cause')), 'file');
}

const faults = (cluster, role) => cluster.messages.filter(({ action, data }) => action === 'probe-fault' && data.role === role).length;

/** Deaths one after the other; each as soon as there are two more to go on with. Resolves to how many there were. */
async function kill(site, cluster, count) {
  for (let death = 0; death < count; death++) {
    if (!await site.hasStarted(cluster, death + 2)) return death;
    signal(startedPids(cluster)[death], 'SIGKILL');
  }
  return count;
}

/** `fails` boots of a successor fail before the cause goes away. */
function failingBoots(fails, how) {
  return async site => {
    const file = cause();
    const { cluster, apps } = await site.startReady({ timeouts: { boot: '2s' } }, { fault: { role: 'app', how, file } });
    fs.writeFileSync(file, '');
    signal(apps[0], 'SIGKILL');
    await site.happens(() => faults(cluster, 'app') >= fails);
    fs.rmSync(file);
    return await site.hasStarted(cluster, 3) ? FILLED : EMPTY;
  };
}

/** What the log says of one death. `told` is what explains it. */
function death(accident, how, { stock, ours, told, options, settings, ...rest }) {
  return {
    accident, stock, ours, ...rest,
    async play(site) {
      const { cluster, apps } = await site.startReady(options, settings?.());
      const from = cluster.stdout.length;
      how(cluster, apps[0]);
      const isReplaced = await site.hasStarted(cluster, 3);
      const words = cluster.stdout.slice(from) + cluster.stderr;
      const known = Object.entries(told).filter(([, pattern]) => pattern.test(words)).map(([what]) => what);
      return `${isReplaced ? 'replaced' : 'not replaced'}, ${known.join(' and ') || 'nothing'} told`;
    },
  };
}

const die = (way, argument) => (cluster, pid) => tell(cluster, pid, 'die', { how: way, argument });
const KIND = { code: /(died|exit) \(code: \d/, signal: /signal: SIG/ };

const groups = [];

/** Each cluster has a group of its own, from its master on. */
function inCgroup() {
  const { group } = makeCgroup('memory');
  group.limitMemory(MEMORY);
  groups.push(group);
  return { starter: master('in_cgroup'), env: { PROBE_CGROUP: group.folder } };
}

function mayLimitMemory() {
  const { group } = makeCgroup('memory');
  group?.remove();
  return group !== undefined;
}

module.exports = [{
  accident: 'a successor fails once while it boots',
  stock: EMPTY,
  ours: FILLED,
  play: failingBoots(1, 'exit'),
}, {
  accident: 'the successors in one place fail to boot three times',
  stock: EMPTY,
  ours: FILLED,
  inCi: true,
  play: failingBoots(3, 'exit'),
}, {
  accident: 'a boot that hangs',
  stock: EMPTY,
  ours: FILLED,
  play: failingBoots(1, 'hang'),
}, {
  accident: 'the successors in all places fail to boot for some seconds',
  stock: 'all places stay empty',
  ours: 'all places are filled again',
  inCi: true,
  async play(site) {
    const file = cause();
    const { cluster, apps } = await site.startReady({}, { fault: { role: 'app', how: 'exit', file } });
    fs.writeFileSync(file, '');
    for (const pid of apps) signal(pid, 'SIGKILL');
    await site.happens(() => faults(cluster, 'app') >= 6);
    fs.rmSync(file);
    return await site.hasStarted(cluster, 4) ? 'all places are filled again' : 'all places stay empty';
  },
}, {
  accident: 'the successors in all places never boot',
  stock: 'the master ends with 1',
  ours: 'the master ends with 1',
  async play(site) {
    const file = cause();
    const { cluster, apps } = await site.startReady({}, { fault: { role: 'app', how: 'exit', file } });
    fs.writeFileSync(file, '');
    for (const pid of apps) signal(pid, 'SIGKILL');
    await site.happens(() => cluster.ended, 60000);
    return cluster.ended ? `the master ends with ${cluster.ended.code}` : 'the master stays';
  },
}, {
  accident: 'an agent that keeps dying while it boots',
  stock: 'it is back when the cause is gone, no app has died',
  ours: 'it is back when the cause is gone, no app has died',
  inCi: true,
  async play(site) {
    const file = cause();
    const { cluster, agent, apps } = await site.startReady({}, { fault: { role: 'agent', how: 'exit', file } });
    fs.writeFileSync(file, '');
    signal(agent, 'SIGKILL');
    await site.happens(() => faults(cluster, 'agent') >= 3);
    fs.rmSync(file);
    const isBack = await site.happens(() => [...cluster.stdout.matchAll(/agent_worker#\d+:\d+ started/g)].length === 2);
    const died = apps.filter(pid => !cluster.appPids().includes(pid)).length;
    return `it is ${isBack ? 'back when the cause is gone' : 'never back'}, ${died || 'no'} app has died`;
  },
}, {
  accident: 'sixty deaths within a minute',
  stock: EMPTY,
  ours: FILLED,
  async play(site) {
    const { cluster } = await site.startReady({ restart: { backoff: '0ms..1s', healthyAfter: '0ms' } });
    const deaths = await kill(site, cluster, 61);
    return await site.hasStarted(cluster, deaths + 2) ? FILLED : EMPTY;
  },
}, {
  accident: 'a storm of 300 deaths',
  stock: 'nobody is replaced after some sixty',
  ours: 'all are replaced',
  limitMs: 240000,
  async play(site) {
    const { cluster } = await site.startReady(AT_ONCE);
    const deaths = await kill(site, cluster, 300);
    if (await site.hasStarted(cluster, deaths + 2)) return 'all are replaced';
    return `nobody is replaced after ${deaths >= 55 && deaths <= 65 ? 'some sixty' : deaths}`;
  },
},
death('a full heap', (cluster, pid) => tell(cluster, pid, 'exhaustMemory'), {
  stock: "replaced, Node's own words told", ours: "replaced, Node's own words and the limit told", settings: () => ({ execArgv: ['--max-old-space-size=48'] }),
  told: { "Node's own words": /JavaScript heap out of memory/, 'the limit': /heap was full, the limit is/ },
}),
death('a fault', die('fault'), { stock: 'replaced, signal told', ours: 'replaced, signal and reason told', told: { ...KIND, reason: /SIGSEGV in native code/ } }),
death('an abort', die('abort'), { stock: 'replaced, signal told', ours: 'replaced, signal and reason told', told: { ...KIND, reason: /SIGABRT in native code/ } }),
death('`process.exit` in a timer', die('exitInTimer', 7), { stock: 'replaced, code told', ours: 'replaced, code and place told', told: { ...KIND, place: /at Timeout/ } }),
death('code 0 that nobody asked for', die('exitInTimer', 0), { stock: 'replaced, code told', ours: 'replaced, code and place told', told: { ...KIND, place: /at Timeout/ } }),
death('killed by the process of another user', (cluster, pid) => {
  execFileSync('python3', ['-c', 'import os,sys,time; os.setresuid(65534,0,0); os.kill(int(sys.argv[1]),15); time.sleep(0.5)', String(pid)]);
}, { stock: 'replaced, code told', ours: 'replaced, code and sender told', told: { ...KIND, sender: /of user 65534/ }, isPossible: () => process.getuid() === 0 }),
death('out of memory in a cgroup', die('fillMemory'), {
  stock: 'replaced, signal told', ours: 'replaced, signal and reason told', told: { ...KIND, reason: /cgroup was out of memory/ },
  settings: inCgroup, isPossible: mayLimitMemory, tidyUp: () => Promise.all(groups.splice(0).map(group => group.remove())),
}),
];
