'use strict';

// What startCluster resolves with: the running cluster as its owner sees it. It holds no state about processes; the native
// half knows them, this class asks, and the master emits on it what happens.

const { EventEmitter } = require('events');

class Cluster extends EventEmitter {
  #actions;

  /**
   * @param {object} actions
   * @param {() => string} actions.status
   * @param {() => number} actions.droppedByWorkers
   * @param {(id: number | 'agent') => Promise<string | null>} actions.stack
   * @param {() => Promise<void>} actions.close
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
    const { droppedMessages, ...status } = JSON.parse(this.#actions.status());
    return { ...status, droppedMessages: droppedMessages + this.#actions.droppedByWorkers() };
  }

  async stack(id) {
    return this.#actions.stack(id);
  }

  async close() {
    await this.#actions.close();
  }
}

module.exports = { Cluster };
