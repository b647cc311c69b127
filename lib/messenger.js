'use strict';

// egg's messenger: an EventEmitter whose events come from the other processes of the cluster. Messenger itself knows nothing of
// processes; a transport carries its envelopes (messenger/transports.js). processMessenger() is the one over this process's own channel to
// the master.

const { constants } = require('buffer');
const { EventEmitter } = require('events');
const { isMainThread } = require('worker_threads');
const { lendOrdinary, release } = require('./codec/loans');
const { ClutchError } = require('./errors');
const { ChannelMeter } = require('./messenger/channel_meter');
const { Members } = require('./messenger/members');
const { Requests } = require('./messenger/requests');
const { processTransport, settings, threadTransport } = require('./messenger/transports');
const { bad } = require('./options/checks');
const { ConsoleLogger } = require('./worker/console_logger');
const { HEARS } = require('./worker/switchboard/audience');

// Registered, so that two copies of the package in one process share the instance, and its knowledge of the others' pids.
const INSTANCE = Symbol.for('egg-clutch.messenger');

/** How the actions begin that no listener sees. */
const OWN_PREFIX = 'egg-clutch:';

class Messenger extends EventEmitter {
  #transport;
  #stopListening = null;
  #pids = [];
  #requests;
  #ownMeter = new ChannelMeter(() => settings().maxQueue);

  /** @param {import('./messenger/transports').Transport} transport */
  constructor(transport) {
    super();
    this.#transport = transport;
    this.#requests = new Requests({
      transport,
      members: transport.members ?? new Members(),
      send: envelope => this.#send(envelope),
      choose: () => this.#chooseOne(),
    });
    // A property of its own, because it carries `acked`.
    const broadcast = Object.assign((action, data) => this.send(action, data, 'app').send(action, data, 'agent'), {
      acked: (action, data, options) => {
        this.listen();
        return this.#requests.acked(action, data, options);
      },
    });
    Object.defineProperty(this, 'broadcast', { value: broadcast, writable: true, configurable: true });
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
    const pid = this.#chooseOne();
    return pid === null ? this : this.sendTo(pid, action, data);
  }

  /** To the one process with this pid, given as number or text. */
  sendTo(pid, action, data) {
    this.#send({ action, data, receiverPid: String(pid) });
    return this;
  }

  /** To 'app' (all of them), 'agent', 'master' or 'parent'. Without `to`: from the agent to all apps, from an app to the agent. */
  send(action, data, to) {
    this.#send({ action, data, to });
    return this;
  }

  /**
   * Asks, and resolves to the answer of who replies to the action. 'app' asks all apps: the first good answer counts.
   * @param {'agent' | 'app' | 'random' | 'master' | number | string} target 'random' as in sendRandom(); a pid
   * @param {{ timeout?: number | string, signal?: AbortSignal }} [options]
   */
  async request(target, action, data, options) {
    this.listen();
    return this.#requests.request(target, action, data, options);
  }

  /** Says who answers requests with this action, one for each; null takes it away. */
  reply(action, replier) {
    this.#requests.reply(action, replier);
    return this.listen();
  }

  /** Resolves when all that this process sent before has been read by its receivers, or they are gone. */
  async flush() {
    this.listen();
    return this.#requests.flush();
  }

  /** How full the fullest queue of this process is, 0 to 1: at 1 the next message may be refused. */
  get pressure() {
    return this.#meter.backlog.pressure;
  }

  /**
   * Lends a Buffer that can be sent without a copy. Once sent it is the receiver's, and empty here.
   * @param {number} bytes
   * @returns {Buffer} whose bytes may be anything at first
   * @throws {ClutchError} ERR_CLUTCH_OPTION
   */
  alloc(bytes) {
    if (!Number.isInteger(bytes) || bytes < 0 || bytes > constants.MAX_LENGTH) throw bad('bytes', bytes, 'a number of bytes');
    if (!this.#transport.clones) {
      throw new ClutchError('ERR_CLUTCH_OPTION', "messenger.alloc() needs options.messenger.serialization to be 'advanced'");
    }
    return this.#transport.switchboard?.alloc(bytes) ?? lendOrdinary(bytes);
  }

  /**
   * Gives the memory of a Buffer back at once that alloc() has lent and that was not sent, or that was received in place. It is empty
   * then.
   * @param {ArrayBufferView} buffer it, or any view of it
   * @returns {boolean} false where it is neither: then nothing has happened
   */
  release(buffer) {
    if (!ArrayBuffer.isView(buffer)) throw bad('the argument of release()', buffer, 'a Buffer');
    return release(buffer);
  }

  /** Counters by action, of up to 500 actions; and what waits in this process for receivers without room. */
  stats() {
    const { traffic, backlog } = this.#meter;
    const actions = traffic.snapshot();
    const dropped = Object.values(actions).reduce((sum, entry) => sum + entry.dropped, 0);
    return { pressure: backlog.pressure, dropped, queue: this.#meter.load(), inPlaceBytes: this.#meter.inPlaceBytes ?? 0, actions };
  }

  /**
   * Starts taking messages in. Any first listener does that by itself; the worker scripts do it for processes that only send,
   * as sendRandom() needs to know who is there.
   */
  listen() {
    if (this.#stopListening) return this;
    const deliver = message => this.#deliver(message);
    // So that what nobody listens for need not be read.
    deliver[HEARS] = action => action.startsWith(OWN_PREFIX) || action === 'egg-pids' || this.listenerCount(action) > 0;
    this.#stopListening = this.#transport.onMessage(deliver);
    return this;
  }

  /** Takes nothing in any more and forgets all listeners; sending still works, and a new listener starts it again. */
  close() {
    this.#stopListening?.();
    this.#stopListening = null;
    this.removeAllListeners();
  }

  on(action, listener) {
    this.#attend(action);
    return super.on(action, listener);
  }

  addListener(action, listener) {
    return this.on(action, listener);
  }

  prependListener(action, listener) {
    this.#attend(action);
    return super.prependListener(action, listener);
  }

  get #meter() {
    return this.#transport.switchboard?.meter ?? this.#ownMeter;
  }

  #send(envelope) {
    if (this.#transport.switchboard) return this.#transport.send(envelope);
    return this.#ownMeter.send(envelope, written => this.#transport.send(envelope, written));
  }

  #attend(action) {
    this.listen();
    if (action !== 'pressure' && action !== 'drain') return;
    this.#meter.backlog.onChange = (event, pressure) => {
      for (const listener of this.rawListeners(event)) this.#call(listener, event, pressure);
    };
  }

  #deliver(message) {
    if (Object(message) !== message || typeof message.action !== 'string') return;
    const { action, data } = message;
    if (!this.#transport.switchboard) this.#ownMeter.traffic.noteReceived(action);
    if (action.startsWith(OWN_PREFIX) && this.#requests.take(message)) return;
    if (action === 'egg-pids' && Array.isArray(data)) this.#pids = data.map(String);
    // Not emit(): it stops at the first listener that throws, and it throws itself for an action named 'error' that nobody
    // listens to. rawListeners() is a copy and holds the wrappers that make once() a once.
    const listeners = this.rawListeners(action);
    if (message.receipt !== undefined) {
      this.#requests.acknowledge(message.receipt, listeners.map(listener => this.#run(listener, action, data)));
      return;
    }
    if (this.#transport.switchboard || listeners.length === 0 || !this.#ownMeter.runs.takes()) {
      for (const listener of listeners) this.#call(listener, action, data);
      return;
    }
    const since = performance.now();
    for (const listener of listeners) this.#call(listener, action, data);
    this.#ownMeter.traffic.noteRun(action, performance.now() - since);
  }

  #chooseOne() {
    if (this.#pids.length === 0) return null;
    return this.#pids[Math.floor(Math.random() * this.#pids.length)];
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

  // Whoever waits for it is told as well. What it does before its first await, it does in the order of the listeners.
  async #run(listener, action, data) {
    try {
      await listener.call(this, data);
    } catch (error) {
      this.#report(action, error);
      throw error;
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

module.exports = { Messenger, processMessenger };
