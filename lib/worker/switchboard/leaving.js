'use strict';

// Those that have closed their channel or ended, until all that they sent is taken. One that has closed its channel may still send what
// had found no room. What somebody sent may be read when its fence has come by the channel, and the news of its end can be quicker than
// that.

/** @typedef {import('./roster').Member} Member */

class Leaving {
  #members = new Map();
  #ended = new Set();

  /** Whether there are such of whom nothing new can come. */
  get hasEnded() {
    return this.#ended.size > 0;
  }

  /** @param {Member} member */
  add(member) {
    this.#members.set(member.place, member);
  }

  /** Nothing new comes of it. */
  noteEnd(place) {
    if (this.#members.has(place)) this.#ended.add(place);
  }

  /** Somebody else has this place. */
  forget(place) {
    this.#members.delete(place);
    this.#ended.delete(place);
  }

  /** @returns {Member | undefined} */
  at(place) {
    return this.#members.get(place);
  }

  has(pid) {
    return [...this.#members.values()].some(member => member.pid === pid);
  }

  /** Gives the places of those of whom nothing more can come, and forgets them. */
  takeDone() {
    const done = [...this.#ended].filter(place => this.#members.get(place).isOpen);
    for (const place of done) this.forget(place);
    return done;
  }
}

module.exports = { Leaving };
