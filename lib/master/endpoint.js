'use strict';

// The master process as a place that messages come from and go to: the transport under its messenger. There is one per
// process, and it exists before the cluster does, so that `messenger` can be taken, listened to and used at any time.

const { Members } = require('../messenger/members');
const { packMessage, unpackMessage } = require('../messenger/packed');

// Sends before a cluster is started are kept for it. A process that never starts one must not fill its memory with them.
const MAX_WAITING = 1024;

// Registered, so that two copies of the package in one process share it.
const ENDPOINT = Symbol.for('egg-clutch.master-endpoint');

class MasterTransport {
  #deliver = null;
  #waiting = [];
  #dropped = 0;
  #listeners = new Set();

  role = 'master';
  /** Whether data travels as structured clone, and not as JSON; known when the cluster is started. */
  clones = false;
  members = new Members();

  constructor(pid) {
    this.pid = pid;
  }

  /** @throws {Error} where the data has no JSON form, or no clone */
  send(envelope, written) {
    const text = JSON.stringify(this.clones ? packMessage(envelope) : envelope);
    if (this.#deliver) this.#deliver(text);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(text);
    else this.#dropped += 1;
    // The native half queues for each receiver, and tells of what it drops.
    written?.();
  }

  /** @returns {() => void} stops the listening */
  onMessage(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * From now on there is a router; what was kept goes first.
   * @param {(text: string) => void} deliver
   * @returns {number} how many messages had to be dropped before
   */
  connect(deliver) {
    this.#deliver = deliver;
    for (const text of this.#waiting.splice(0)) deliver(text);
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  /** A message that the router has for this process. */
  receive(message) {
    const delivered = this.clones ? unpackMessage(message) : message;
    for (const listener of this.#listeners) listener(delivered);
  }
}

/** @returns {{ transport: MasterTransport, messenger: import('../messenger').Messenger }} the one of this process */
function masterEndpoint() {
  if (!globalThis[ENDPOINT]) {
    const { Messenger } = require('../messenger');
    const transport = new MasterTransport(process.pid);
    globalThis[ENDPOINT] = { transport, messenger: new Messenger(transport) };
  }
  return globalThis[ENDPOINT];
}

module.exports = { MasterTransport, masterEndpoint, MAX_WAITING };
