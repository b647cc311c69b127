'use strict';
// What a process holds, as the kernel tells it, and how much it may hold. Linux only.

const fs = require('node:fs');
const { execFileSync } = require('node:child_process');
const { look } = require('./processes');
const { until } = require('./waiting');

/** What the descriptors of a process are open for, as the kernel names it. */
function descriptorTargets(pid) {
  const folder = `/proc/${pid}/fd`;
  return fs.readdirSync(folder).map(name => {
    try {
      return fs.readlinkSync(`${folder}/${name}`);
    } catch {
      return 'closed meanwhile';
    }
  });
}

/** Without the memory of messages: of that there is as much as they need. */
function descriptors(pid) {
  return descriptorTargets(pid).filter(target => !target.includes('memfd:clutch-segment')).length;
}

/** Inodes of the sockets that the kernel lists in `/proc/<pid>/net/<table>`, by the column it has them in. */
function listedSockets(pid, table, column, isMeant = () => true) {
  const rows = fs.readFileSync(`/proc/${pid}/net/${table}`, 'utf8').trim().split('\n').slice(1).map(row => row.trim().split(/\s+/));
  return rows.filter(isMeant).map(row => row[column]);
}

/**
 * How many TCP connections a process has in its hands. Found by what its other sockets are, because the kernel lists no connection
 * that the other side has reset.
 */
function connections(pid) {
  const isListening = row => row[3] === '0A';
  const others = new Set([
    ...listedSockets(pid, 'unix', 6),
    ...['tcp', 'tcp6'].flatMap(table => listedSockets(pid, table, 9, isListening)),
    ...['udp', 'udp6'].flatMap(table => listedSockets(pid, table, 9)),
  ]);
  return descriptorTargets(pid).filter(target => {
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    return inode !== undefined && !others.has(inode);
  }).length;
}

/** The descriptors of a master once each of so many workers has joined the switchboard and no connection is in its hands. */
async function descriptorsAtRest(pid, workers) {
  const hasJoined = () => descriptorTargets(pid).filter(target => target.includes('memfd:clutch-inbox')).length === workers;
  await until(() => hasJoined() && connections(pid) === 0, `the master has ${workers} workers on its switchboard and no connection`);
  return descriptors(pid);
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

/** Everything of a process that could grow with what happens to it, but its memory. */
function holdings(pid) {
  return {
    descriptors: descriptors(pid),
    threads: fs.readdirSync(`/proc/${pid}/task`).length,
    mappings: fs.readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').filter(line => line.includes('memfd:')).length,
    zombies: fs.readdirSync('/proc').map(name => look(name)).filter(child => child?.ppid === pid && child.state === 'Z').length,
  };
}

module.exports = { connections, holdings, descriptors, descriptorTargets, descriptorsAtRest, memory, limitDescriptors };
