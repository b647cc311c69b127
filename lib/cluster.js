'use strict';

// What startCluster resolves with: the running cluster as its owner sees it. It holds no state about processes; the native
// half knows them, this class asks, and the master emits on it what happens.

const { EventEmitter } = require('events');

const { masterPlan } = require('./master/succession');
const { bad, boolean, isPlainObject } = require('./options/checks');

const MAX_WORKERS = 1024;
const MAX_ID = 2 ** 32 - 1;

function whole(name, value, max) {
  if (!Number.isInteger(value) || value < 1 || value > max) throw bad(name, value, `a whole number from 1 to ${max}`);
  return value;
}

class Cluster extends EventEmitter {
  #actions;
  #isShared = false;

  /**
   * @param {object} actions
   * @param {() => string} actions.status
   * @param {() => number} actions.droppedByWorkers
   * @param {(id: number | 'agent') => Promise<string | null>} actions.stack
   * @param {(request: object) => Promise<unknown>} actions.ask
   * @param {(plan: object) => Promise<{ pid: number }>} actions.upgrade
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
    const status = JSON.parse(this.#actions.status());
    // Where no memory is shared, the native half does not know what workers have dropped.
    this.#isShared ||= [status.agent, ...status.workers, ...status.spares].some(process => process?.vitals);
    return this.#isShared ? status : { ...status, droppedMessages: status.droppedMessages + this.#actions.droppedByWorkers() };
  }

  async stack(id) {
    return this.#actions.stack(id);
  }

  async reload(options = {}) {
    if (!isPlainObject(options)) throw bad('the argument of reload', options, 'an object with agent');
    const { agent } = options;
    return this.#actions.ask({ kind: 'reload', ...(agent !== undefined && { agent: boolean('agent', agent) }) });
  }

  async scale(workers) {
    return this.#actions.ask({ kind: 'scale', workers: whole('workers', workers, MAX_WORKERS) });
  }

  async restart(id) {
    await this.#actions.ask(id === 'agent' ? { kind: 'restart-agent' } : { kind: 'restart', id: whole('id', id, MAX_ID) });
  }

  async isolate(id) {
    await this.#actions.ask({ kind: 'isolate', id: whole('id', id, MAX_ID) });
  }

  async rejoin(id) {
    await this.#actions.ask({ kind: 'rejoin', id: whole('id', id, MAX_ID) });
  }

  async upgrade(options) {
    return this.#actions.upgrade(masterPlan(options));
  }

  async close() {
    await this.#actions.close();
  }
}

module.exports = { Cluster };
