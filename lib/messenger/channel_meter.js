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

  /** @returns {() => void} to be called when it is written */
  noteSent({ action, data }) {
    const bytes = sizeOf(data);
    this.traffic.noteSent(action, bytes);
    this.traffic.noteQueued(action, 1);
    this.#messages += 1;
    this.#bytes += bytes;
    this.backlog.look();
    const since = performance.now();
    return () => this.#noteWritten(action, bytes, performance.now() - since);
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
