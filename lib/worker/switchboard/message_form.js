'use strict';

// What somebody gives to process.send(): whether the message has a form of its own in shared memory, and who is told that it is sent.

const { FLAG } = require('./envelope');

// Such a name has no form of its own in shared memory: NUL ends one, and half a surrogate pair is no UTF-8.
const ODD_NAME = /[\0\ud800-\udfff]/;
// Longer ones are no names but data.
const MAX_NAME = 64;

/** Whether an action can be told by a number. */
function isName(action) {
  return action.length <= MAX_NAME && !ODD_NAME.test(action);
}

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

module.exports = { confirm, isName, flagsOf, isPlainObject, isPlainEnvelope };
