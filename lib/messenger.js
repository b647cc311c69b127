'use strict';

// egg's messenger: an EventEmitter whose events come from the other processes of the cluster. Messenger itself knows nothing of
// processes; a transport carries its envelopes. processMessenger() is the one over this process's own channel to the master.

const { EventEmitter } = require('events');
const { isMainThread, parentPort, threadId } = require('worker_threads');
const { ConsoleLogger } = require('./worker/console_logger');

// Registered, so that two copies of the package in one process share the instance, and its knowledge of the others' pids.
const INSTANCE = Symbol.for('egg-clutch.messenger');
const ROLE = Symbol.for('egg-clutch.role');

/**
 * @typedef {object} Transport
 * @property {number} pid of this process, or the id of this thread
 * @property {'app' | 'agent'} [role] of this process, where it is known
 * @property {(envelope: object) => void} send hands the envelope over before it returns; a closed channel is no error
 * @property {(listener: (message: unknown) => void) => ((() => void) | null)} onMessage starts listening; the result stops
 *   it; null where there is nothing to listen to (yet)
 */

class Messenger extends EventEmitter {
  #transport;
  #stopListening = null;
  #pids = [];

  /** @param {Transport} transport */
  constructor(transport) {
    super();
    this.#transport = transport;
    /** Where errors of listeners go; anything with an `error` method. */
    this.logger = new ConsoleLogger({ level: 'ERROR' });
  }

  /** The pid of this process, as text: the form that addresses have in messages. */
  get pid() {
    return String(this.#transport.pid);
  }

  /** The processes on the other side, as the master told last: all apps for the agent, the agent for an app. */
  get opids() {
    return [...this.#pids];
  }

  /** To the agent and to all apps, this process included. */
  broadcast(action, data) {
    return this.send(action, data, 'app').send(action, data, 'agent');
  }

  sendToApp(action, data) {
    return this.send(action, data, 'app');
  }

  sendToAgent(action, data) {
    return this.send(action, data, 'agent');
  }

  /** From the agent to one app, chosen by chance; from an app to the agent. */
  sendRandom(action, data) {
    this.listen();
    // An app at its first start has not been told the agent's pid, and there is only one agent to choose from.
    if (this.#transport.role === 'app') return this.send(action, data, 'agent');
    if (this.#pids.length === 0) return this;
    return this.sendTo(this.#pids[Math.floor(Math.random() * this.#pids.length)], action, data);
  }

  /** To the one process with this pid, given as number or text. */
  sendTo(pid, action, data) {
    this.#transport.send({ action, data, receiverPid: String(pid) });
    return this;
  }

  /** To 'app' (all of them), 'agent', 'master' or 'parent'. Without `to`: from the agent to all apps, from an app to the agent. */
  send(action, data, to) {
    this.#transport.send({ action, data, to });
    return this;
  }

  /**
   * Starts taking messages in. Any first listener does that by itself; the worker scripts do it for processes that only send,
   * as sendRandom() needs to know who is there.
   */
  listen() {
    this.#stopListening ??= this.#transport.onMessage(message => this.#deliver(message));
    return this;
  }

  /** Takes nothing in any more and forgets all listeners; sending still works, and a new listener starts it again. */
  close() {
    this.#stopListening?.();
    this.#stopListening = null;
    this.removeAllListeners();
  }

  on(action, listener) {
    this.listen();
    return super.on(action, listener);
  }

  addListener(action, listener) {
    return this.on(action, listener);
  }

  prependListener(action, listener) {
    this.listen();
    return super.prependListener(action, listener);
  }

  #deliver(message) {
    if (Object(message) !== message || typeof message.action !== 'string') return;
    const { action, data } = message;
    if (action === 'egg-pids' && Array.isArray(data)) this.#pids = data.map(String);
    // Not emit(): it stops at the first listener that throws, and it throws itself for an action named 'error' that nobody
    // listens to. rawListeners() is a copy and holds the wrappers that make once() a once.
    for (const listener of this.rawListeners(action)) this.#call(listener, action, data);
  }

  #call(listener, action, data) {
    const failed = error => this.#report(action, error);
    try {
      const result = listener.call(this, data);
      if (typeof result?.then === 'function') result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  #report(action, error) {
    this.logger.error(`[messenger] a listener of "${action}" failed`);
    this.logger.error(error);
  }
}

/** @returns {Messenger} the one of this process; in a process that no master started its methods do nothing */
function processMessenger() {
  globalThis[INSTANCE] ??= new Messenger(isMainThread ? processTransport() : threadTransport());
  return globalThis[INSTANCE];
}

/**
 * Says that this process is a worker of a cluster. A channel to the parent alone does not: a test runner, or an agent that
 * forked a helper, would get envelopes that it cannot read.
 * @param {'app' | 'agent'} role
 */
function becomeWorker(role) {
  globalThis[ROLE] = role;
}

/** @returns {Transport} over Node's channel to the parent process */
function processTransport(target = process, role = () => globalThis[ROLE]) {
  const hasMaster = () => role() !== undefined && typeof target.send === 'function';
  return {
    pid: target.pid,
    get role() {
      return role();
    },
    send(envelope) {
      if (!hasMaster() || !target.connected) return;
      // With a callback, a channel that closes under the write is reported to it; without, it is an 'error' on process.
      target.send(envelope, undefined, undefined, () => {});
    },
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
    send(envelope) {
      if (role() !== undefined) port.postMessage(envelope);
    },
    onMessage(listener) {
      if (role() === undefined) return null;
      port.on('message', listener);
      return () => port.removeListener('message', listener);
    },
  };
}

module.exports = { Messenger, processMessenger, processTransport, threadTransport, becomeWorker };
