'use strict';

// Who is told that a message has left this process: the callbacks of process.send(). Whoever ends the process then loses nothing by it.

const { ClutchError } = require('../../errors');
const { SENT } = require('./envelope');

/** What became of a message that all its receivers have. */
const ALL_SENT = Object.freeze({ outcome: SENT.ALL, places: [] });

class Written {
  #endpoint;
  // By receivers, in the order in which the messages leave.
  #waiting = new Map();

  /** @param {{ lastKept: () => number, hasLeft: (place: number, number: number) => boolean }} endpoint */
  constructor(endpoint) {
    this.#endpoint = endpoint;
  }

  /**
   * @param {unknown[]} candidates arguments of process.send(), one of which may be the callback
   * @param {{ outcome: number, places: number[] }} sent what became of the message
   */
  confirm(candidates, { outcome, places }) {
    const done = candidates.find(argument => typeof argument === 'function');
    if (!done) return;
    if (outcome === SENT.WAITS) this.#hold(done, places);
    else process.nextTick(done, errorOf(outcome));
  }

  #hold(done, places) {
    const key = places.join();
    const held = this.#waiting.get(key) ?? { places, entries: [] };
    held.entries.push({ number: this.#endpoint.lastKept(), done });
    this.#waiting.set(key, held);
  }

  /** Some of what waited may have left. */
  look() {
    for (const [key, { places, entries }] of this.#waiting) {
      const isHere = ({ number }) => places.some(place => !this.#endpoint.hasLeft(place, number));
      const first = entries.findIndex(isHere);
      for (const { done } of entries.splice(0, first < 0 ? entries.length : first)) process.nextTick(done, null);
      if (entries.length === 0) this.#waiting.delete(key);
    }
  }
}

function errorOf(outcome) {
  if (outcome === SENT.REFUSED) return new ClutchError('ERR_CLUTCH_QUEUE_FULL', 'a receiver of the message does not read, and there is no room in the queue for it');
  return outcome === SENT.TOO_BIG ? new ClutchError('ERR_CLUTCH_MESSAGE_TOO_BIG', 'the message has more bytes than the arena') : null;
}

module.exports = { ALL_SENT, Written };
