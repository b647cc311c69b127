'use strict';

// What has found no room and waits in this process: tried again until it has gone, also when the channel is closed.

// It is tried again this often, and whenever somebody writes to us.
const RETRY_MS = 2;

class Surplus {
  #endpoint;
  #process;
  #watchers;
  #retry = null;

  /**
   * @param {object} parts
   * @param {{ flush: () => boolean, finish: () => void }} parts.endpoint
   * @param {{ connected: boolean }} parts.proc
   * @param {Array<{ look: () => void }>} parts.watchers who look when some of it may have gone
   */
  constructor({ endpoint, proc, watchers }) {
    this.#endpoint = endpoint;
    this.#process = proc;
    this.#watchers = watchers;
  }

  /** There is some. Keeps no process alive. */
  note() {
    this.#retry ??= setTimeout(() => this.#flush(), RETRY_MS).unref();
  }

  /** The channel is closed, so there will be no more; when all has gone, the others need not look for more. */
  finish() {
    if (!this.#retry) this.#flush();
  }

  #flush() {
    this.#retry = null;
    if (!this.#endpoint.flush()) this.note();
    else if (!this.#process.connected) this.#endpoint.finish();
    for (const watcher of this.#watchers) watcher.look();
  }
}

module.exports = { Surplus };
