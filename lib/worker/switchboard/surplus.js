'use strict';

// What has found no room and waits in this process: tried again until it has gone, also when the channel is closed, and waited for where
// the process leaves in order.

const { setTimeout: pause } = require('timers/promises');

// It is tried again this often, and whenever somebody writes to us.
const RETRY_MS = 2;
// One that leaves in order waits for so long for those who read nothing, and as long as they read.
const PATIENCE_MS = 300;

class Surplus {
  #endpoint;
  #process;
  #watchers;
  #retry = null;
  #isLastTurn = false;

  /**
   * @param {object} parts
   * @param {{ flush: () => boolean, finish: () => void, load: () => { messages: number } }} parts.endpoint
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

  /** Resolves when nothing waits any more, or nobody reads. */
  async whenGone() {
    let least = Infinity;
    let since = 0;
    while (!this.#flush()) {
      const { messages } = this.#endpoint.load();
      const now = performance.now();
      if (messages < least) [least, since] = [messages, now];
      else if (now - since >= PATIENCE_MS) return;
      await pause(RETRY_MS);
    }
  }

  /** Nothing else keeps this process alive. */
  linger() {
    if (this.#isLastTurn) return;
    this.#isLastTurn = true;
    this.whenGone();
  }

  #flush() {
    clearTimeout(this.#retry);
    this.#retry = null;
    const hasGone = this.#endpoint.flush();
    if (!hasGone) this.note();
    else if (!this.#process.connected) this.#endpoint.finish();
    for (const watcher of this.#watchers) watcher.look();
    return hasGone;
  }
}

module.exports = { Surplus };
