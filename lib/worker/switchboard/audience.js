'use strict';

// Whether anybody in this process can see a message. egg's messenger listens for all messages and hands each on to those who listen for
// its action; where these are known to be none, the message need not be read. Whoever listens otherwise hears everything.

const cluster = require('cluster');
const { EventEmitter } = require('events');

// A listener of ours tells for itself which actions it does anything about. Registered, as there may be several copies of the package.
const HEARS = Symbol.for('egg-clutch.hears');

// What egg's messengers do with a message, of egg 2 and 3 and of egg 4, white space apart. One that does anything else is not known.
const KNOWN = new Set([
  '_onMessage(message) { if (message && is.string(message.action)) { debug(\'[%s] got message %s with %j, receiverPid: %s\', this.pid, '
  + 'message.action, message.data, message.receiverPid); this.emit(message.action, message.data); } }',
  'onMessage(message) { if (typeof message?.action === \'string\') { debug(\'[%s:%s] got message %s with %j, receiverWorkerId: %s\', '
  + 'this.egg.type, this.pid, message.action, message.data, message.receiverWorkerId ?? message.receiverPid); this.emit(message.action, '
  + 'message.data); } else { debug(\'[%s:%s] got an invalid message %j\', this.egg.type, this.pid, message); } }',
]);

// What Node's own cluster.worker does with it.
const RELAY = '(message, handle) => this.emit(\'message\', message, handle)';

class Audience {
  #messengers = new WeakMap();
  #process;
  #worker;
  #relay = null;

  /** To be made before any code of the app runs: Node's own listener is there alone. */
  constructor(proc = process, worker = cluster.worker) {
    this.#process = proc;
    this.#worker = worker;
    const [first] = proc.rawListeners('message');
    if (worker && textOf(first) === RELAY) this.#relay = first;
  }

  /** @param {unknown} messenger a framework's; egg's own is recognised */
  meet(messenger) {
    // Its debug() would print the data.
    if (process.env.NODE_DEBUG || !(messenger instanceof EventEmitter)) return;
    for (const name of ['_onMessage', 'onMessage']) {
      const method = Object.getPrototypeOf(messenger)[name];
      const listener = messenger[name];
      if (typeof method !== 'function' || typeof listener !== 'function') continue;
      if (listener.name !== `bound ${name}` || !KNOWN.has(textOf(method))) continue;
      this.#messengers.set(listener, messenger);
    }
  }

  /** @returns {boolean} true where somebody may see the message; false where certainly nobody does */
  hears(action) {
    for (const listener of this.#process.rawListeners('message')) {
      if (this.#isHeardBy(listener, action)) return true;
    }
    return false;
  }

  #isHeardBy(listener, action) {
    if (listener === this.#relay) return handsOn(this.#worker, 'message');
    const messenger = this.#messengers.get(listener);
    if (messenger) return handsOn(messenger, action);
    return listener[HEARS]?.(action) ?? true;
  }
}

function textOf(method) {
  return String(method).replace(/\s+/g, ' ');
}

/** Whether emitting this does anything. */
function handsOn(emitter, event) {
  // An 'error' that nobody listens for is thrown.
  return emitter.emit !== EventEmitter.prototype.emit || event === 'error' || emitter.listenerCount(event) > 0;
}

module.exports = { Audience, HEARS };
