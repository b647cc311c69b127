'use strict';

// About how many bytes a value has on its way, where nobody else counts them: a message by Node's channel is written by Node.

// So much of a value is looked at; the rest is taken to be alike.
const MAX_NODES = 200;
const NUMBER_BYTES = 8;
const WORD_BYTES = 4;

/**
 * @param {unknown} value anything; accessors and proxies of the app may run
 * @returns {number} an estimate, for counters
 */
function sizeOf(value) {
  let bytes = 0;
  let nodes = 0;
  const open = [value];
  while (open.length > 0 && nodes < MAX_NODES) {
    nodes += 1;
    const next = open.pop();
    bytes += ownSize(next);
    if (typeof next !== 'object' || next === null || ArrayBuffer.isView(next)) continue;
    const members = Array.isArray(next) ? next : Object.values(next);
    for (let at = 0; at < members.length && open.length < MAX_NODES; at++) open.push(members[at]);
    if (members.length > MAX_NODES) bytes += (members.length - MAX_NODES) * NUMBER_BYTES;
  }
  return bytes;
}

function ownSize(value) {
  switch (typeof value) {
    case 'string': return value.length;
    case 'number': return NUMBER_BYTES;
    case 'object': return ArrayBuffer.isView(value) ? value.byteLength : WORD_BYTES;
    default: return WORD_BYTES;
  }
}

module.exports = { sizeOf };
