'use strict';
// A cgroup of a test's own, where this machine lets us make one: version 1 by controller, or version 2.

const fs = require('node:fs');
const { until } = require('./waiting');

const ROOT = '/sys/fs/cgroup';
const PERIOD_US = 100_000;
let made = 0;

class Cgroup {
  /** `isV1`: the folder is the controller's own. */
  constructor(folder, isV1) {
    this.folder = folder;
    this.isV1 = isV1;
  }

  #write(file, text) {
    fs.writeFileSync(`${this.folder}/${file}`, text);
  }

  /** Takes a process in, with all its threads. */
  add(pid) {
    this.#write('cgroup.procs', String(pid));
  }

  /** Bytes; page cache counts as well. */
  limitMemory(bytes) {
    this.#write(this.isV1 ? 'memory.limit_in_bytes' : 'memory.max', String(bytes));
  }

  /** The share of one processor that it may have, such as 0.02. */
  limitProcessor(share) {
    const quota = Math.round(share * PERIOD_US);
    if (this.isV1) this.#write('cpu.cfs_quota_us', String(quota));
    else this.#write('cpu.max', `${quota} ${PERIOD_US}`);
  }

  unlimitProcessor() {
    if (this.isV1) this.#write('cpu.cfs_quota_us', '-1');
    else this.#write('cpu.max', `max ${PERIOD_US}`);
  }

  /** How often its processes had to wait for the next period. */
  timesThrottled() {
    return Number(/^nr_throttled (\d+)$/m.exec(fs.readFileSync(`${this.folder}/cpu.stat`, 'utf8'))[1]);
  }

  /** Once it is empty. */
  remove() {
    return until(() => {
      try {
        fs.rmdirSync(this.folder);
        return true;
      } catch (error) {
        if (error.code === 'EBUSY') return false;
        throw error;
      }
    }, 'the cgroup is empty');
  }
}

/**
 * @param {'cpu' | 'memory'} controller
 * @returns {{ group: Cgroup } | { why: string }} `why` there can be none
 */
function makeCgroup(controller) {
  const limits = { cpu: ['cpu.cfs_quota_us', 'cpu.max'], memory: ['memory.limit_in_bytes', 'memory.max'] };
  const [v1, v2] = limits[controller];
  const isV1 = fs.existsSync(`${ROOT}/${controller}/${v1}`) || fs.existsSync(`${ROOT}/${controller}/cgroup.procs`);
  made += 1;
  const folder = `${isV1 ? `${ROOT}/${controller}` : ROOT}/egg-clutch-test-${process.pid}-${made}`;
  try {
    fs.mkdirSync(folder);
  } catch (error) {
    return { why: error.message };
  }
  try {
    fs.accessSync(`${folder}/${isV1 ? v1 : v2}`, fs.constants.W_OK);
    return { group: new Cgroup(folder, isV1) };
  } catch (error) {
    fs.rmdirSync(folder);
    return { why: error.message };
  }
}

module.exports = { makeCgroup };
