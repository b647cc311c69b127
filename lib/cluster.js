'use strict';

// What startCluster resolves with: the running cluster as its owner sees it. It holds no state about processes; the native
// half knows them, this class asks, and the master emits on it what happens.

const { EventEmitter } = require('events');

class Cluster extends EventEmitter {
  #actions;

  /**
   * @param {{ status: () => string, stack: (id: number | 'agent') => Promise<string | null>, close: () => Promise<void> }} actions
   * @param {{ pid: number, messenger: object }} own
   */
  constructor(actions, { pid, messenger }) {
    super();
    this.#actions = actions;
    this.pid = pid;
    this.messenger = messenger;
    this.address = null;
  }

  status() {
    return JSON.parse(this.#actions.status());
  }

  async stack(id) {
    return this.#actions.stack(id);
  }

  async close() {
    await this.#actions.close();
  }
}

module.exports = { Cluster };
