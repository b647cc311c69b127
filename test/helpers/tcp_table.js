'use strict';
// Who holds the connections of a port, as the kernel tells it. Linux only.

const fs = require('node:fs');

const ESTABLISHED = '01';

/** Of the connections that came in by a port; 0 is one that nobody has accepted yet. */
function inodesOf(port) {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const inodes = [];
  for (const name of ['tcp', 'tcp6']) {
    for (const line of fs.readFileSync(`/proc/net/${name}`, 'utf8').trim().split('\n').slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === ESTABLISHED && local.endsWith(end)) inodes.push(Number(inode));
    }
  }
  return inodes;
}

/** How many connections that came in by this port have been accepted and are open. */
function connectionsTo(port) {
  return inodesOf(port).filter(inode => inode !== 0).length;
}

/** How many of them a process holds. */
function connectionsAt(pid, port) {
  const inodes = new Set(inodesOf(port).map(inode => `socket:[${inode}]`));
  const folder = `/proc/${pid}/fd`;
  return fs.readdirSync(folder).filter(name => {
    try {
      return inodes.has(fs.readlinkSync(`${folder}/${name}`));
    } catch {
      return false;
    }
  }).length;
}

module.exports = { connectionsAt, connectionsTo };
