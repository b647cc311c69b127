'use strict';

// Which core a process runs on. Two processes that wake each other are put on one core where another has something else to do, and what
// is measured then is the machine's load.

const { execFileSync } = require('node:child_process');
const { availableParallelism } = require('node:os');

/** Gives the agent a core, and the only app another one. More apps than cores are left to the scheduler. */
function pin({ agent, apps }) {
  if (apps.length > 1 || availableParallelism() < 2) return;
  for (const [core, pid] of [...agent, ...apps].entries()) {
    execFileSync('taskset', ['-a', '-p', '-c', String(core), String(pid)], { stdio: 'ignore' });
  }
}

module.exports = { pin };
