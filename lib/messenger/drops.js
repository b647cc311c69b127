'use strict';

// What a process dropped, told to the master: one message for all of a while, and of many different drops a limited number by name.

const { OWN } = require('./protocol');

const PAUSE_MS = 100;
const MAX_KINDS = 64;
const REST = '(other)';

class DropReports {
  #send;
  #who;
  #kinds = new Map();
  #isDue = false;

  /**
   * @param {{ pid: string, role: string }} who drops
   * @param {(envelope: object) => unknown} send to the master, by a way that drops nothing; false where there is none any more
   */
  constructor(who, send) {
    this.#who = who;
    this.#send = send;
  }

  /**
   * @typedef {{ role: string | null, pid: string | null }} Party
   * @param {{ action: string, reason: string, to: Party, from?: Party, count?: number }} drop
   */
  note({ action, reason, to, from, count = 1 }) {
    const isKnown = this.#kinds.has(keyOf(action, reason, to, from));
    const name = isKnown || this.#kinds.size < MAX_KINDS ? action : REST;
    const receiver = name === REST ? { role: null, pid: null } : to;
    const key = keyOf(name, reason, receiver, from);
    const kind = this.#kinds.get(key);
    if (kind) kind.count += count;
    else this.#kinds.set(key, { action: name, reason, to: receiver, count, from });
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => this.#tell(), PAUSE_MS).unref();
  }

  /**
   * Takes what was not told yet, as a message in so many bytes: what has no room is counted together, by its reason.
   * @returns {string | null} null where all was told
   */
  takeLast(bytes) {
    const drops = [...this.#kinds.values()];
    this.#kinds.clear();
    if (drops.length === 0) return null;
    const rest = new Map();
    for (;;) {
      const text = JSON.stringify(this.#reportOf([...drops, ...rest.values()]));
      if (Buffer.byteLength(text) <= bytes || drops.length === 0) return text;
      const { reason, count } = drops.pop();
      const others = rest.get(reason) ?? { action: REST, reason, to: { role: null, pid: null }, count: 0 };
      others.count += count;
      rest.set(reason, others);
    }
  }

  #tell() {
    this.#isDue = false;
    // It was told meanwhile.
    if (this.#kinds.size === 0) return;
    if (this.#send(this.#reportOf([...this.#kinds.values()])) !== false) this.#kinds.clear();
  }

  #reportOf(drops) {
    return { action: OWN.DROPPED, to: 'master', data: { from: this.#who, drops } };
  }
}

function keyOf(action, reason, to, from) {
  return JSON.stringify([action, reason, to.role, to.pid, from?.pid]);
}

module.exports = { DropReports };
