'use strict';

// How many app workers a machine, or the container we are in, has CPUs for. Pure over a file reader and a CPU count, so
// that every kind of container can be played in a test. Linux only: elsewhere the reader finds no file, and no quota counts.
// Files: cgroups(7), proc_pid_mountinfo(5), and the kernel's cgroup-v2 and sched-bwc documents.

const fs = require('fs');
const os = require('os');
const path = require('path').posix;

function readFile(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** CPUs this process may run on: affinity and cpuset are in it where Node can ask for them. */
function availableCpus() {
  return typeof os.availableParallelism === 'function' ? os.availableParallelism() : os.cpus().length;
}

function unescapeMount(text) {
  return text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The mounts of cgroup hierarchies that can hold CPU limits. */
function parseMounts(mountinfo) {
  const mounts = [];
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ');
    if (after === undefined) continue;
    const [, , , root, point] = before.split(' ');
    const [type, , superOptions = ''] = after.split(' ');
    if (type === 'cgroup2') mounts.push({ version: 2, root: unescapeMount(root), point: unescapeMount(point) });
    else if (type === 'cgroup' && superOptions.split(',').includes('cpu')) {
      mounts.push({ version: 1, root: unescapeMount(root), point: unescapeMount(point) });
    }
  }
  return mounts;
}

/** Our own path in the unified hierarchy (v2) and in the one of the cpu controller (v1). */
function parseOwnGroups(text) {
  const groups = {};
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (!match) continue;
    if (match[1] === '') groups[2] = match[2];
    else if (match[1].split(',').includes('cpu')) groups[1] = match[2];
  }
  return groups;
}

/** From our own group up to the top of what is mounted: a limit counts wherever above us it is set. */
function foldersUpwards({ root, point }, group) {
  let below = group;
  if (root !== '/' && (group === root || group.startsWith(`${root}/`))) below = group.slice(root.length);
  // A group outside of our cgroup namespace is shown with `..`; what we can see then starts at the mount.
  if (below.split('/').includes('..')) below = '/';
  const folders = [];
  for (let dir = path.join('/', below); ; dir = path.dirname(dir)) {
    folders.push(path.join(point, dir));
    if (dir === '/') return folders;
  }
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
  const groups = parseOwnGroups(read('/proc/self/cgroup') ?? '');
  let quota = Infinity;
  for (const mount of parseMounts(read('/proc/self/mountinfo') ?? '')) {
    if (groups[mount.version] === undefined) continue;
    for (const folder of foldersUpwards(mount, groups[mount.version])) {
      quota = Math.min(quota, readQuota(mount.version, folder, read));
    }
  }
  return quota;
}

/**
 * The default number of app workers and, for the log, how it came about. A part of a CPU counts as one: with 1.5 CPUs,
 * two workers can use up all of it, one cannot.
 * @returns {{ workers: number, reason: string }}
 */
function defaultWorkers({ cpus = availableCpus(), read = readFile } = {}) {
  const usable = Math.max(1, cpus);
  const quota = cgroupQuota(read);
  const workers = Math.max(1, Math.min(usable, Math.ceil(quota)));
  const limit = quota === Infinity ? 'no cgroup CPU quota' : `a cgroup quota of ${Number(quota.toFixed(2))} CPUs`;
  return { workers, reason: `${usable} CPUs to run on, ${limit}` };
}

module.exports = { defaultWorkers, cgroupQuota, availableCpus };
