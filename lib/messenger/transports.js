'use strict';

// What carries a messenger's envelopes: this process' own channel to the master, or a thread's port. And what each of them must know:
// whether this is a worker of a cluster at all, and with which settings.

const { parentPort, threadId } = require('worker_threads');
const { DEFAULTS } = require('../options/messenger');

// Registered, so that two copies of the package in one process agree.
const ROLE = Symbol.for('egg-clutch.role');
const SWITCHBOARD = Symbol.for('egg-clutch.switchboard');
const SETTINGS = Symbol.for('egg-clutch.messenger-settings');

/**
 * @typedef {object} Transport
 * @property {number} pid of this process, or the id of this thread
 * @property {'app' | 'agent' | 'master'} [role] of this process, where it is known
 * @property {Members} [members] who takes part; only the master knows by itself
 * @property {(envelope: object, written?: () => void) => boolean | void} send hands it over before it returns; false where nobody is there
 *   to take it
 * @property {boolean} [clones] whether data travels as structured clone
 * @property {{ meter: object, alloc: (bytes: number) => Buffer }} [switchboard] where messages go by one, and are counted there
 * @property {(listener: (message: unknown) => void) => ((() => void) | null)} onMessage starts listening; the result stops
 *   it; null where there is nothing to listen to (yet)
 * @property {(pid: string) => boolean} [hasUnread] whether something that this process sent may still come after the news of its end
 */

/**
 * Says that this process is a worker of a cluster. A channel to the parent alone does not: a test runner, or an agent that
 * forked a helper, would get envelopes that it cannot read.
 * @param {'app' | 'agent'} role
 * @param {{ maxQueue: number }} [settings] the option `messenger`
 */
function becomeWorker(role, settings) {
  globalThis[ROLE] = role;
  globalThis[SETTINGS] = settings;
}

/** The option `messenger`, as this process was given it. */
function settings() {
  return globalThis[SETTINGS] ?? DEFAULTS;
}

function hasClones() {
  return settings().serialization === 'advanced';
}

/** @returns {Transport} over Node's channel to the parent process */
function processTransport(target = process, role = () => globalThis[ROLE]) {
  const hasMaster = () => role() !== undefined && typeof target.send === 'function';
  return {
    pid: target.pid,
    get role() {
      return role();
    },
    send(envelope, written = () => {}) {
      if (!hasMaster() || !target.connected) return false;
      // With a callback, a channel that closes under the write is reported to it; without, it is an 'error' on process.
      target.send(envelope, undefined, undefined, written);
      return true;
    },
    get clones() {
      return hasClones();
    },
    get switchboard() {
      return globalThis[SWITCHBOARD];
    },
    hasUnread: pid => globalThis[SWITCHBOARD]?.hasUnread(pid) ?? false,
    onMessage(listener) {
      if (!hasMaster()) return null;
      target.on('message', listener);
      return () => target.removeListener('message', listener);
    },
  };
}

/** @returns {Transport} of a thread of the master, whose address is the thread's id. What cannot be cloned is thrown back. */
function threadTransport(port = parentPort, id = threadId, role = () => globalThis[ROLE]) {
  return {
    pid: id,
    get role() {
      return role();
    },
    get clones() {
      return hasClones();
    },
    send(envelope, written) {
      if (role() === undefined) return false;
      port.postMessage(envelope);
      // Nobody tells when it is taken.
      written?.();
      return true;
    },
    onMessage(listener) {
      if (role() === undefined) return null;
      port.on('message', listener);
      return () => port.removeListener('message', listener);
    },
  };
}

module.exports = { processTransport, threadTransport, becomeWorker, settings };
