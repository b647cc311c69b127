'use strict';

// How many CPUs a machine, or the container we are in, has for app workers. Pure over a file reader and a CPU count.
// Files: the kernel's cgroup-v2 and sched-bwc documents.

const os = require('os');
const path = require('path').posix;

const { ownCgroups, readFile } = require('./cgroups');

/** CPUs this process may run on: affinity and cpuset are in it where Node can ask for them. */
function availableCpus() {
  return typeof os.availableParallelism === 'function' ? os.availableParallelism() : os.cpus().length;
}

function quotaOf(quota, period) {
  const cpus = Number(quota) / Number(period);
  return Number(quota) > 0 && Number.isFinite(cpus) && cpus > 0 ? cpus : Infinity;
}

function readQuota(version, folder, read) {
  if (version === 2) {
    const [quota, period] = (read(path.join(folder, 'cpu.max')) ?? '').trim().split(/\s+/);
    return quotaOf(quota, period);
  }
  return quotaOf(read(path.join(folder, 'cpu.cfs_quota_us')) ?? '', read(path.join(folder, 'cpu.cfs_period_us')) ?? '');
}

/** CPUs' worth of time that the strictest cgroup above us allows; Infinity without a limit. */
function cgroupQuota(read = readFile) {
  return Math.min(Infinity, ...ownCgroups('cpu', read).map(({ version, folder }) => readQuota(version, folder, read)));
}

/**
 * How many CPUs there are for app workers and, for the log, how that came about. A part of a CPU counts as one: with 1.5 CPUs,
 * two workers can use up all of it, one cannot.
 * @returns {{ workers: number, reason: string }}
 */
function workersByCpu({ cpus = availableCpus(), read = readFile } = {}) {
  const usable = Math.max(1, cpus);
  const quota = cgroupQuota(read);
  const workers = Math.max(1, Math.min(usable, Math.ceil(quota)));
  const limit = quota === Infinity ? 'no cgroup CPU quota' : `a cgroup quota of ${Number(quota.toFixed(2))} CPUs`;
  return { workers, reason: `${usable} CPUs to run on, ${limit}` };
}

/**
 * How many apps boot at the same time while a cluster starts. Booting is work for a processor with some waiting in between, so up to two
 * for each keep it busy; more would only take each other's time, and memory, and run into their frameworks' time-outs.
 */
function bootsAtOnce({ cpus = availableCpus(), read = readFile } = {}) {
  return Math.max(4, 2 * workersByCpu({ cpus, read }).workers);
}

module.exports = { bootsAtOnce, workersByCpu, cgroupQuota, availableCpus };
