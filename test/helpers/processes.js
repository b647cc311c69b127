'use strict';
// Processes as the kernel tells them, for tests that must know what is really alive. Linux only, like the cluster.

const fs = require('node:fs');
const { setTimeout: pause } = require('node:timers/promises');

const WORKER_SCRIPT = /(agent|app)_worker\.\w+$/;

function read(pid, file) {
  try {
    return fs.readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return null; // gone between two looks
  }
}

/** { pid, ppid, state, startTime } or null. The start time tells a process from a later one with the same pid. */
function look(pid) {
  const stat = read(pid, 'stat');
  if (!stat) return null;
  // The command name stands in brackets and may contain both blanks and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { pid: Number(pid), state: fields[0], ppid: Number(fields[1]), startTime: fields[19] };
}

function isDead(process) {
  return !process || process.state === 'Z' || process.state === 'X';
}

function isAlive({ pid, startTime }) {
  const now = look(pid);
  return !isDead(now) && now.startTime === startTime;
}

function all() {
  return fs.readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(look).filter(process => !isDead(process));
}

function commandLine(pid) {
  return (read(pid, 'cmdline') ?? '').split('\0').slice(0, -1);
}

function childrenOf(pid) {
  return all().filter(process => process.ppid === pid);
}

function descendantsOf(pid) {
  const processes = all();
  const found = [];
  const parents = [pid];
  while (parents.length) {
    const parent = parents.pop();
    for (const process of processes.filter(({ ppid }) => ppid === parent)) {
      found.push(process);
      parents.push(process.pid);
    }
  }
  return found;
}

/** The children of a master: [{ pid, role: 'agent' | 'app' | 'other', startTime, argv }]. */
function workersOf(pid) {
  return childrenOf(pid).map(child => {
    const argv = commandLine(child.pid);
    const script = argv.find(argument => WORKER_SCRIPT.test(argument)) ?? '';
    return { ...child, role: WORKER_SCRIPT.exec(script)?.[1] ?? 'other', argv };
  });
}

/** All living processes whose environment holds `name=value…`. */
function withVariable(name, value) {
  const wanted = `${name}=${value}`;
  return all().filter(({ pid }) => (read(pid, 'environ') ?? '').split('\0').some(entry => entry.startsWith(wanted)));
}

// A watchdog: on a machine that does much else, what is asked to end may have to wait for a processor.
const GONE_LIMIT_MS = 30000;

/**
 * Waits until `find()` finds no process and returns those that are still there at the limit.
 * The kernel sends no event about a process that is not one's own child, so this looks again and again.
 */
async function waitUntilGone(find, limitMs = GONE_LIMIT_MS) {
  const limit = Date.now() + limitMs;
  let left = find();
  while (left.length && Date.now() < limit) {
    await pause(20);
    left = find();
  }
  return left;
}

module.exports = { look, isAlive, childrenOf, descendantsOf, workersOf, commandLine, withVariable, waitUntilGone };
