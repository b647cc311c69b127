'use strict';

// One process per core that computes whenever nobody else wants to (SCHED_IDLE): so that no core sleeps, and the time that a
// hypervisor takes to wake one up is not measured.

const { spawn } = require('node:child_process');
const { availableParallelism } = require('node:os');

/** @returns {() => void} ends them */
function startSpinners() {
  const spinners = Array.from({ length: availableParallelism() }, (_, core) => spawn(
    'taskset', ['-c', String(core), 'chrt', '-i', '0', process.execPath, '-e', 'process.on("disconnect", () => process.exit()); for (;;);'],
    { stdio: 'ignore' },
  ));
  const stop = () => spinners.forEach(spinner => spinner.kill('SIGKILL'));
  process.once('exit', stop);
  return () => {
    process.removeListener('exit', stop);
    stop();
  };
}

module.exports = { startSpinners };
