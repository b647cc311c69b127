'use strict';
// What a process holds of the switchboard's memory, as the kernel tells it. Linux only.

const fs = require('node:fs');

function status(pid, name) {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

/** How many mappings of each kind of file there are, and the bytes of all segments together. */
function switchboardOf(pid) {
  const found = { outbox: 0, inbox: 0, segment: 0, segmentBytes: 0 };
  for (const line of fs.readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const [range, , , , , name = ''] = line.split(/\s+/);
    const kind = /^\/memfd:clutch-(outbox|inbox|segment)/.exec(name)?.[1];
    if (!kind) continue;
    found[kind] += 1;
    const [from, to] = range.split('-').map(address => Number.parseInt(address, 16));
    if (kind === 'segment') found.segmentBytes += to - from;
  }
  return found;
}

/** Bytes of shared memory that are really there (RssShmem). */
function shared(pid) {
  return status(pid, 'RssShmem');
}

module.exports = { switchboardOf, shared };
