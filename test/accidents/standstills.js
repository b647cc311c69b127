'use strict';

// A worker is kept from running for longer than it may stand still, and then runs again.

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { setTimeout: pause } = require('node:timers/promises');
const { makeCgroup } = require('../helpers/cgroup');
const { getJson } = require('../helpers/http_client');
const processes = require('../helpers/processes');
const { until } = require('../helpers/waiting');
const { signal } = require('./site');

// Twice as long as it may stand still.
const KEPT_MS = 2000;
const STUCK = { stuck: { steerAfter: '500ms', killAfter: '1s' } };
const LIVES = 'lives on and serves';

/** `hold(pid)` keeps a worker from running and resolves to what lets it go on. */
function keptFromRunning(accident, hold, settings) {
  return {
    accident, stock: LIVES, ours: LIVES, ...settings,
    async play(site) {
      const { cluster, port, apps } = await site.startReady(STUCK);
      const letGo = await hold(apps[0]);
      const asked = getJson(port).catch(() => null);
      await pause(KEPT_MS);
      const isThere = cluster.appPids().includes(apps[0]);
      await letGo();
      await asked;
      const serves = await site.happens(async () => (await getJson(port)).pid === apps[0]);
      return isThere && serves ? LIVES : 'is lost';
    },
  };
}

/** ptrace(2): PTRACE_ATTACH stops it, and PTRACE_DETACH lets it go on. */
async function trace(pid) {
  const attach = 'import ctypes,sys; p=int(sys.argv[1]); t=ctypes.CDLL(None).ptrace; t(16,p,0,0); sys.stdin.read(); t(17,p,0,0)';
  const tracer = spawn('python3', ['-c', attach, String(pid)], { stdio: ['pipe', 'ignore', 'inherit'] });
  await until(() => processes.look(pid).state === 't', 'the stop of the traced');
  return async () => {
    tracer.stdin.end();
    await once(tracer, 'exit');
  };
}

const groups = [];

/** Each site has a group of its own. */
function throttle(pid) {
  const { group } = makeCgroup('cpu');
  groups.push(group);
  group.add(pid);
  group.limitProcessor(0.02);
  return () => group.unlimitProcessor();
}

function mayThrottle() {
  const { group } = makeCgroup('cpu');
  group?.remove();
  return group !== undefined;
}

function stop(pid) {
  signal(pid, 'SIGSTOP');
  return () => signal(pid, 'SIGCONT');
}

module.exports = [
  keptFromRunning('SIGSTOP for longer than the limit, then SIGCONT', stop),
  keptFromRunning('ptrace', trace),
  keptFromRunning('a throttled machine', throttle, { isPossible: mayThrottle, tidyUp: () => Promise.all(groups.splice(0).map(group => group.remove())) }),
];
