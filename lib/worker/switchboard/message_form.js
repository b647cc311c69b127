'use strict';

// What somebody gives to process.send(): what the message is by the time it arrives, whom it names, and whether it has a form of its own
// in shared memory.

const { isBoxedPrimitive } = require('util').types;
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

/**
 * What a message is that is sent: a plain object, whatever it is made of.
 * @param {unknown} message anything
 * @returns {object | undefined} undefined where it is nobody's message, or Node has something against it
 * @throws what JSON.stringify throws
 */
function plainOf(message) {
  if (typeof message === 'string') return { action: message, data: message };
  const writesItself = typeof message?.toJSON === 'function';
  if (!writesItself && isPlainObject(message)) return message;
  if (message === null || typeof message !== 'object' || Array.isArray(message)) return undefined;
  if (!writesItself && !isBoxedPrimitive(message)) return { ...message };
  const text = JSON.stringify(message);
  const form = text === undefined ? undefined : JSON.parse(text);
  if (typeof form === 'string') return { action: form, data: form };
  return isPlainObject(form) ? form : undefined;
}

/** What arrives of a value that stands for a name: a text, or something else. */
function nameOf(value) {
  return typeof value === 'object' && value !== null ? JSON.parse(JSON.stringify({ value })).value : value;
}

/** The class of receivers that a message names; undefined where it names none. */
function targetOf(to) {
  const name = typeof to === 'string' ? to : nameOf(to);
  return typeof name === 'string' && name !== '' ? name : undefined;
}

/** The one receiver that a message names: undefined where it names none, null where it names nobody. */
function receiverOf(address) {
  const name = typeof address === 'string' ? address : nameOf(address);
  if (typeof name === 'string') return name === '' ? undefined : name;
  const isGiven = typeof name === 'number' ? Number.isFinite(name) && name !== 0 : name && !['function', 'symbol'].includes(typeof name);
  return isGiven ? null : undefined;
}

function isAddress(value) {
  return value === undefined || (typeof value === 'string' && value !== '');
}

/** Whether a message has only what has a place of its own in shared memory. */
function isPlainEnvelope(message) {
  if (typeof message.action !== 'string') return false;
  const { receiverPid, receiverWorkerId } = message;
  if (!isAddress(receiverPid) || !isAddress(receiverWorkerId)) return false;
  if (receiverPid !== undefined && receiverWorkerId !== undefined && receiverPid !== receiverWorkerId) return false;
  for (const key in message) {
    switch (key) {
      case 'action': case 'data': case 'to': case 'from': case 'receiverPid': case 'receiverWorkerId': break;
      default: return false;
    }
  }
  return true;
}

/** Whether these are arguments of process.send() that Node takes. */
function areArguments(handle, options) {
  if (typeof handle === 'function' || typeof options === 'function' || options === undefined) return true;
  return options !== null && typeof options === 'object' && !Array.isArray(options);
}

module.exports = { areArguments, isName, flagsOf, isPlainObject, isPlainEnvelope, plainOf, receiverOf, targetOf };
