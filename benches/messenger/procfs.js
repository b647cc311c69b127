'use strict';

// What processes have used, as the kernel counts it (proc(5)): CPU time to the nanosecond, and the peak of their memory.

const fs = require('node:fs');

/** CPU time of all threads of a process, in microseconds; those that have ended do not count. */
function cpuMicroseconds(pid) {
  let sum = 0;
  for (const thread of fs.readdirSync(`/proc/${pid}/task`)) {
    try {
      // "time on the cpu (in nanoseconds), time waiting, timeslices": Documentation/scheduler/sched-stats.rst
      sum += Number(fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1000;
    } catch {
      // It has just ended.
    }
  }
  return sum;
}

function status(pid, name) {
  const text = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)[1]) / 1024;
}

/** MiB. Shared memory counts for everybody who has touched it. */
function peakMemory(pid) {
  return status(pid, 'VmHWM');
}

function resetPeak(pid) {
  fs.writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

module.exports = { cpuMicroseconds, peakMemory, resetPeak };
