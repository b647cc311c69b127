'use strict';

// The threads of a cluster with startMode 'worker_threads': makes and ends them as the native half asks, and keeps what they say
// until it has answered whom it is for. A message is cloned on its way in and on its way out, as postMessage does it, and never
// becomes text. Decides nothing.

const { inspect } = require('util');
const { Worker } = require('worker_threads');
const { unpackMessage } = require('../messenger/packed');
const { messengerSettings } = require('../options/messenger');
const { formatError, isError } = require('../worker/format_error');

class Threads {
  #master;
  #workers = new Map();
  #kept = new Map();
  // To apps that have not been started yet as well, by ticket.
  #early = new Map();
  #lastTicket = 0;

  /**
   * @param {object} master
   * @param {object} master.native the native half: `threadStarted`, `threadNotStarted`, `threadSaid`, `threadExited`, `log`
   * @param {{ agent: string, app: string }} master.scripts
   * @param {object} master.options parsed, with clusterPort
   * @param {(message: object) => void} master.toParent
   * @param {(message: object) => void} master.toMaster
   * @param {typeof Worker} [master.Thread] for tests
   */
  constructor({ Thread = Worker, ...master }) {
    this.#master = { Thread, ...master };
  }

  /** An event of the native half whose type begins with `thread-`. */
  handle(type, fields) {
    switch (type) {
      case 'thread-start': return this.#start(fields);
      case 'thread-post': return this.#post(this.#unpacked(fields.message), [fields.thread]);
      case 'thread-relay': return this.#relay(fields);
      case 'thread-replay': return this.#post(this.#early.get(fields.ticket), [fields.thread]);
      case 'thread-forget': return void this.#early.delete(fields.ticket);
      case 'thread-terminate': return void this.#workers.get(fields.thread)?.terminate();
      default: throw new TypeError(`unknown event ${type}`);
    }
  }

  #start({ thread, slot }) {
    const { Thread, native, scripts, options } = this.#master;
    const role = slot === null ? 'agent' : 'app';
    let worker;
    try {
      worker = new Thread(scripts[role], { name: `${role}_worker`, argv: [JSON.stringify(optionsOf(slot, options))] });
    } catch (error) {
      native.threadNotStarted(thread, error.message);
      return;
    }
    this.#workers.set(thread, worker);
    // After its end Node says -1.
    const { threadId } = worker;
    worker.on('message', message => this.#keep(thread, message));
    worker.on('messageerror', error => this.#warn(`a message from ${role} ${threadId} cannot be read: ${error.message}`));
    worker.on('error', error => native.log('error', formatError(withOrigin(error, role, threadId))));
    worker.on('exit', code => {
      this.#workers.delete(thread);
      native.threadExited(thread, code);
    });
    native.threadStarted(thread, threadId);
  }

  #keep(thread, sent) {
    const message = typeof sent === 'string' ? { action: sent, data: sent } : sent;
    this.#lastTicket = (this.#lastTicket + 1) >>> 0;
    this.#kept.set(this.#lastTicket, message);
    this.#master.native.threadSaid(thread, this.#lastTicket, headerOf(message));
  }

  #relay({ ticket, from, to, threads, keep }) {
    const message = this.#kept.get(ticket);
    this.#kept.delete(ticket);
    if (to === null) return;
    Object.assign(message, { from, to });
    if (keep) this.#early.set(ticket, message);
    if (to === 'parent') this.#master.toParent(message);
    else if (to === 'master') this.#master.toMaster(message);
    else this.#post(message, threads);
  }

  #post(message, threads) {
    for (const thread of threads) {
      try {
        this.#workers.get(thread)?.postMessage(message);
      } catch (error) {
        // What its sender transferred can be handed over only once, and it has been: to us.
        this.#warn(`a message from ${message.from} was dropped: ${error.message}`);
      }
    }
  }

  // The master's own are text until here.
  #unpacked(message) {
    const { serialization } = messengerSettings(this.#master.options);
    return serialization === 'advanced' ? unpackMessage(message) : message;
  }

  #warn(text) {
    this.#master.native.log('warn', `[master] ${text}`);
  }
}

/** Each app thread listens on a port of its own, since it shares none with the others. */
function optionsOf(slot, options) {
  return slot === null || !options.ports?.length ? options : { ...options, port: options.ports[slot] };
}

// The layer's own messages are for the native half itself, so it needs what they say.
const OWN_ACTIONS = ['realport', 'listening'];

/** What routing needs of a message, as JSON text: the data stays here. */
function headerOf(message) {
  if (Object(message) !== message) return typeof message === 'boolean' ? 'true' : message === null || message === undefined ? 'null' : '0';
  if (Array.isArray(message)) return '[]';
  const { action, to, receiverPid, receiverWorkerId } = message;
  return JSON.stringify({
    action: text(action),
    to: text(to),
    receiverPid: address(receiverPid),
    receiverWorkerId: address(receiverWorkerId),
    data: OWN_ACTIONS.includes(action) ? jsonOrNothing(message.data) : undefined,
  });
}

function text(value) {
  return typeof value === 'string' ? value : undefined;
}

/** Anything that counts as true names a receiver, but only a string names one that may be there. */
function address(value) {
  return typeof value === 'string' ? value : Boolean(value);
}

function jsonOrNothing(value) {
  try {
    return JSON.parse(JSON.stringify(value));
  } catch {
    return undefined;
  }
}

/** What a thread died of, with the name that egg's log has and the thread. */
function withOrigin(thrown, role, threadId) {
  const error = isError(thrown) ? thrown : new Error(`${inspect(thrown)} was thrown`);
  const name = role === 'agent' ? 'AgentWorkerError' : 'AppWorkerError';
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  return Object.assign(error, { threadId });
}

module.exports = { Threads, headerOf };
