'use strict';

// The master's list of who takes part, kept from the events of the native half, for its own messenger and for every process that asks.

const { OWN } = require('../messenger/protocol');

class MemberList {
  #pid;
  #own;
  #deliver;
  #agent = null;
  #apps = new Set();
  #watchers = new Set();
  #isComplete = false;

  /**
   * @param {object} parts
   * @param {number} parts.pid of the master
   * @param {import('../messenger/members').Members} parts.members those of the master's own messenger
   * @param {(text: string) => void} parts.deliver routes a message of the master
   */
  constructor({ pid, members, deliver }) {
    this.#pid = String(pid);
    this.#own = members;
    this.#deliver = deliver;
  }

  /** All have been started once. */
  complete() {
    this.#isComplete = true;
    this.#tell();
  }

  /** An event of the native half; those that change nothing here are no mistake. */
  note(type, { pid }) {
    switch (type) {
      case 'agent-started': this.#agent = String(pid); break;
      case 'worker-started': this.#apps.add(String(pid)); break;
      case 'agent-exited':
      case 'worker-exited':
      case 'channel-closed':
        if (!this.#has(String(pid))) return;
        if (this.#agent === String(pid)) this.#agent = null;
        else this.#apps.delete(String(pid));
        break;
      default: return;
    }
    this.#watchers = new Set([...this.#watchers].filter(watcher => this.#has(watcher)));
    this.#tell();
  }

  /** @returns {boolean} whether the message was for this list */
  take({ action, data }) {
    if (action !== OWN.WATCH) return false;
    const pid = String(data?.pid);
    if (this.#has(pid)) {
      this.#watchers.add(pid);
      this.#tellOne(pid, typeof data.token === 'string' ? data.token : null);
    }
    return true;
  }

  #has(pid) {
    return pid === this.#agent || this.#apps.has(pid);
  }

  #entries() {
    const agent = this.#agent === null ? [] : [[this.#agent, 'agent']];
    return [[this.#pid, 'master'], ...agent, ...[...this.#apps].map(pid => [pid, 'app'])];
  }

  #tell() {
    this.#own.set(new Map(this.#entries()), this.#isComplete);
    for (const pid of this.#watchers) this.#tellOne(pid, null);
  }

  #tellOne(pid, token) {
    const data = { members: this.#entries(), isComplete: this.#isComplete, token };
    this.#deliver(JSON.stringify({ action: OWN.MEMBERS, data, receiverPid: pid }));
  }
}

module.exports = { MemberList };
