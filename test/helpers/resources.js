'use strict';
// What a process holds, as the kernel tells it, and how much it may hold. Linux only.

const fs = require('node:fs');
const { execFileSync } = require('node:child_process');

function descriptors(pid) {
  return fs.readdirSync(`/proc/${pid}/fd`).length;
}

/** Bytes of memory that are really there (VmRSS). */
function memory(pid) {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

/** Sets how many descriptors a running process may have, and returns how many it might have before. */
function limitDescriptors(pid, limit) {
  const read = ['--pid', String(pid), '--nofile', '--noheadings', '--raw', '--output', 'SOFT'];
  const before = Number(execFileSync('prlimit', read, { encoding: 'utf8' }));
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`]);
  return before;
}

module.exports = { descriptors, memory, limitDescriptors };
