'use strict';

// The words of the messenger's own messages, and the form of what they carry. What comes from another process is looked at here
// before anybody uses it: an app may send any action, these as well.

/** Actions that no listener of the app gets to see. */
const OWN = Object.freeze({
  /** To the master: tell me who takes part, now and whenever that changes. */
  WATCH: 'egg-clutch:watch',
  /** From the master: all who take part. */
  MEMBERS: 'egg-clutch:members',
  /** To whoever replies to an action. */
  REQUEST: 'egg-clutch:request',
  /** To everybody: answer as soon as you read this. */
  PING: 'egg-clutch:ping',
  /** To the master: what this process could not send. */
  DROPPED: 'egg-clutch:dropped',
  /** The answer to a request, to a ping, or to a message that asks for a receipt. */
  ANSWER: 'egg-clutch:answer',
});

/**
 * @typedef {object} Asker
 * @property {string} id of what is asked, the same at no other process
 * @property {string} pid
 * @property {string} role
 */

function isRecord(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** @returns {Asker | null} */
function readAsker(value) {
  if (!isRecord(value)) return null;
  const { id, pid, role } = value;
  return [id, pid, role].every(text => typeof text === 'string' && text !== '') ? { id, pid, role } : null;
}

/** @returns {{ asker: Asker, action: string, data: unknown } | null} */
function readRequest(value) {
  const asker = readAsker(value?.asker);
  return asker && typeof value.action === 'string' ? { asker, action: value.action, data: value.data } : null;
}

/** @returns {{ id: string, pid: string, role: string, value: unknown, error: object | null, listeners: number } | null} */
function readAnswer(value) {
  const asker = readAsker(value);
  if (!asker) return null;
  const { error, listeners } = value;
  return {
    ...asker, value: value.value,
    error: isRecord(error) ? error : null,
    listeners: Number.isInteger(listeners) ? listeners : 0,
  };
}

/** @returns {{ isComplete: boolean, token: string | null, members: Map<string, string> } | null} role by pid */
function readMembers(value) {
  if (!isRecord(value) || !Array.isArray(value.members)) return null;
  const members = value.members.filter(entry => Array.isArray(entry)).map(([pid, role]) => [String(pid), String(role)]);
  return { isComplete: value.isComplete === true, token: typeof value.token === 'string' ? value.token : null, members: new Map(members) };
}

module.exports = { OWN, readAsker, readRequest, readAnswer, readMembers };
