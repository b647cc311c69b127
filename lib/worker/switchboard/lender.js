'use strict';

// Lends Buffers in shared memory, for messenger.alloc().

const { Loan, lendOrdinary } = require('../../codec/loans');

// What the native side can count.
const MAX_BYTES = 2 ** 32 - 1;

/**
 * @param {import('./envelope').Desk} desk
 * @param {Record<string, Function>} calls of the native endpoint
 * @returns {(bytes: number) => Buffer} gives Buffers whose bytes may be anything at first; of ordinary memory, which is sent as a copy,
 *   where there is no room
 */
function lender(desk, calls) {
  return bytes => {
    const memory = bytes > 0 && bytes <= MAX_BYTES ? calls.lend(bytes) : null;
    if (!memory) return lendOrdinary(bytes);
    new Loan(memory, { number: desk.number[0], detach: calls.detach, end: calls.endLoan, read: calls.readLoan });
    return Buffer.from(memory);
  };
}

module.exports = { lender };
