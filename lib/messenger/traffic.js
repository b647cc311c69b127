'use strict';

// What went through a messenger, by action, for stats(): counters only, and never more than so many of them, whatever apps send.

// Actions may be made of anything, such as an id each; what is beyond shares one entry.
const MAX_ACTIONS = 256;
const REST = '(other)';

class Entry {
  sent = 0;
  received = 0;
  bytes = 0;
  largest = 0;
  dropped = 0;
}

class Traffic {
  #entries = new Map();

  #of(action) {
    const entry = this.#entries.get(action);
    if (entry) return entry;
    // A message need not have one.
    const key = this.#entries.size < MAX_ACTIONS && typeof action === 'string' ? action : REST;
    if (!this.#entries.has(key)) this.#entries.set(key, new Entry());
    return this.#entries.get(key);
  }

  /** One message, to however many receivers. */
  noteSent(action, bytes) {
    const entry = this.#of(action);
    entry.sent += 1;
    entry.bytes += bytes;
    if (bytes > entry.largest) entry.largest = bytes;
  }

  noteReceived(action) {
    this.#of(action).received += 1;
  }

  noteDropped(action, count = 1) {
    this.#of(action).dropped += count;
  }

  /** @returns {Record<string, { sent: number, received: number, bytes: number, largest: number, dropped: number }>} */
  snapshot() {
    return Object.fromEntries([...this.#entries].map(([action, entry]) => [action, { ...entry }]));
  }
}

module.exports = { Traffic, MAX_ACTIONS, REST };
