'use strict';

// What somebody gives to process.send(): whether the message has a form of its own in shared memory, and who is told that it is sent.

const { FLAG } = require('./envelope');

function flagsOf({ receiverPid, receiverWorkerId }) {
  return (receiverPid === undefined ? 0 : FLAG.BY_PID) | (receiverWorkerId === undefined ? 0 : FLAG.BY_WORKER_ID);
}

function isPlainObject(value) {
  if (value === null || typeof value !== 'object') return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Whether a message has only what has a place of its own in shared memory. */
function isPlainEnvelope(message) {
  if (typeof message.action !== 'string') return false;
  const { receiverPid, receiverWorkerId } = message;
  if (receiverPid !== undefined && receiverWorkerId !== undefined && receiverPid !== receiverWorkerId) return false;
  for (const key in message) {
    switch (key) {
      case 'action': case 'data': case 'to': case 'from': case 'receiverPid': case 'receiverWorkerId': break;
      default: return false;
    }
  }
  return true;
}

/** Calls the callback of process.send(), whichever argument it is. */
function confirm(...candidates) {
  const done = candidates.find(argument => typeof argument === 'function');
  if (done) process.nextTick(done, null);
}

module.exports = { confirm, flagsOf, isPlainObject, isPlainEnvelope };
