'use strict';

// Counts what goes by Node's channel or between threads, where no switchboard counts: sizes are estimates there, and what waits is
// what Node has not written yet.

const { Backlog } = require('./backlog');
const { Sampler } = require('./sampler');
const { sizeOf } = require('./size_of');
const { Traffic } = require('./traffic');

class ChannelMeter {
  #maxQueue;
  #messages = 0;
  #bytes = 0;
  #waited = 0;
  #waitedMs = 0;
  #longestMs = 0;

  traffic = new Traffic();
  /** Which of the messages that come in have their listeners timed. */
  runs = new Sampler();
  backlog = new Backlog(() => Math.min(1, this.#bytes / this.#maxQueue()));

  /** @param {() => number} maxQueue in bytes */
  constructor(maxQueue) {
    this.#maxQueue = maxQueue;
  }

  /**
   * Counts a message that is handed over.
   * @param {{ action: string, data: unknown }} envelope
   * @param {(written: () => void) => boolean | void} hand has `written` called when it is written; answers false where nobody is there to
   *   take it: then, and where it throws, there is nothing to count
   * @returns {boolean} whether somebody has taken it
   */
  send({ action, data }, hand) {
    const bytes = sizeOf(data);
    const since = performance.now();
    let note = null;
    let isWritten = false;
    const isTaken = hand(() => {
      isWritten = true;
      note?.();
    });
    if (isTaken === false) return false;
    this.#noteHanded(action, bytes);
    note = () => this.#noteWritten(action, bytes, performance.now() - since);
    if (isWritten) note();
    return true;
  }

  #noteHanded(action, bytes) {
    this.traffic.noteSent(action, bytes);
    this.traffic.noteQueued(action, 1);
    this.#messages += 1;
    this.#bytes += bytes;
    this.backlog.look();
  }

  #noteWritten(action, bytes, ms) {
    this.traffic.noteQueued(action, -1);
    this.traffic.noteWaited(action, ms);
    this.#messages -= 1;
    this.#bytes -= bytes;
    this.#waited += 1;
    this.#waitedMs += ms;
    this.#longestMs = Math.max(this.#longestMs, ms);
    this.backlog.look();
  }

  load() {
    return {
      messages: this.#messages, bytes: this.#bytes,
      waited: this.#waited, waitedMs: this.#waitedMs, longestMs: this.#longestMs,
    };
  }
}

module.exports = { ChannelMeter };
