'use strict';

// How the memory of a container is shared out: how many app workers fit into it, and how much of a heap each process may have. Pure
// over a file reader. Files: the kernel's cgroup-v2 document, and cgroup-v1/memory.

const os = require('os');
const path = require('path').posix;
const v8 = require('v8');

const { ClutchError } = require('../errors');
const { show } = require('./checks');
const { ownCgroups, readFile } = require('./cgroups');
const { size } = require('./size');
const { workersByCpu } = require('./cpu_count');

const MB = 2 ** 20;
// What a small egg app takes; a larger one is the user's to count.
const WORKER_BYTES = 128 * MB;
// The master, and some room for what is no process.
const MASTER_BYTES = 64 * MB;
// Of a process' memory so much may be JavaScript's old space; the rest is code, buffers, stacks, young space.
const HEAP_SHARE = 0.75;
const MIN_HEAP_BYTES = 64 * MB;
const HEAP_FLAG = /(^|\s)--(max[-_]old[-_]space[-_]size|max[-_]heap[-_]size)\b/;

function readLimit(version, folder, read) {
  const text = (read(path.join(folder, version === 2 ? 'memory.max' : 'memory.limit_in_bytes')) ?? '').trim();
  // v1 has no word for "none" but a number larger than any memory.
  return /^\d+$/.test(text) ? Number(text) : Infinity;
}

/** Bytes that the strictest cgroup above us allows, or the machine has; `isCgroup` says which it is. */
function memoryLimit({ read = readFile, total = os.totalmem() } = {}) {
  const limit = Math.min(Infinity, ...ownCgroups('memory', read).map(({ version, folder }) => readLimit(version, folder, read)));
  return limit < total ? { bytes: limit, isCgroup: true } : { bytes: total, isCgroup: false };
}

function megabytes(bytes) {
  return `${Math.floor(bytes / MB)} MB`;
}

/**
 * The default number of app workers and, for the log, how it came about: as many as there are CPUs, and as fit into the memory.
 * @param {object} [machine]
 * @param {{ spares?: number }} [options] how many more are booted beside them
 * @returns {{ workers: number, reason: string }}
 */
function defaultWorkers(machine = {}, { spares = 0 } = {}) {
  const { workers, reason } = workersByCpu(machine);
  const { bytes, isCgroup } = memoryLimit(machine);
  // The agent is as large as a worker.
  const fitting = Math.max(1, Math.floor((bytes - MASTER_BYTES) / WORKER_BYTES) - 1 - spares);
  if (fitting >= workers) return { workers, reason };
  const of = isCgroup ? `a cgroup limit of ${megabytes(bytes)} memory` : `${megabytes(bytes)} memory`;
  return { workers: fitting, reason: `${reason}; ${of} is enough for ${fitting} of ${megabytes(WORKER_BYTES)} beside ${spares ? `${spares} spare, ` : ''}master and agent` };
}

/** Throws ERR_CLUTCH_OPTION for a value that is not allowed. */
function checkHeapBudget({ heapBudget, startMode }) {
  if (heapBudget === undefined || heapBudget === true || heapBudget === false) return;
  size('options.heapBudget', heapBudget, { min: MIN_HEAP_BYTES / 4 });
  if (startMode === 'worker_threads') {
    throw new ClutchError('ERR_CLUTCH_OPTION',
      `options.heapBudget (got ${show(heapBudget)}) cannot be used with startMode 'worker_threads': threads share the master's flags`);
  }
}

/**
 * The heap that agent and app workers each may have, where they would otherwise believe that the whole container is theirs.
 * @param {{ heapBudget?: boolean | number | string, workers: number, spare?: number, startMode: string }} options
 * @param {{ execArgv: string[], env: NodeJS.ProcessEnv }} proc whoever has set a limit is left alone
 * @returns {{ argument: string, reason: string } | null} an argument for node
 */
function heapBudget({ heapBudget: wanted = true, workers, spare = 0, startMode }, proc, machine = {}) {
  const isSet = [...proc.execArgv, proc.env.NODE_OPTIONS ?? ''].some(text => HEAP_FLAG.test(text));
  if (wanted === false || isSet || startMode === 'worker_threads') return null;
  const argument = bytes => `--max-old-space-size=${Math.floor(bytes / MB)}`;
  if (wanted !== true) {
    const bytes = size('options.heapBudget', wanted);
    return { argument: argument(bytes), reason: `${megabytes(bytes)} each, as options.heapBudget says` };
  }
  const { bytes, isCgroup } = memoryLimit(machine);
  if (!isCgroup) return null;
  const share = Math.max(MIN_HEAP_BYTES, ((bytes - MASTER_BYTES) / (workers + spare + 1)) * HEAP_SHARE);
  const own = machine.heapLimit ?? v8.getHeapStatistics().heap_size_limit;
  // Node's own limit does already.
  if (share >= own) return null;
  const shares = `${workers} workers${spare ? `, ${spare} spare` : ''} and the agent share a cgroup limit of ${megabytes(bytes)}`;
  return { argument: argument(share), reason: `${megabytes(share)} each, because ${shares}` };
}

/** The files of our cgroups that count how often the kernel has killed for want of memory. */
function oomFiles(read = readFile) {
  const groups = ownCgroups('memory', read);
  return [1, 2].flatMap(version => groups.filter(group => group.version === version).slice(0, 1))
    .map(({ version, folder }) => path.join(folder, version === 2 ? 'memory.events' : 'memory.oom_control'))
    .filter(file => /^oom_kill \d+$/m.test(read(file) ?? ''));
}

module.exports = { defaultWorkers, memoryLimit, heapBudget, checkHeapBudget, oomFiles };
