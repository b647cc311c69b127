'use strict';

// Those that have ended, until all that they sent is taken. What somebody sent may be read when its fence has come by the channel, and
// the news of its end can be quicker than that.

/** @typedef {import('./roster').Member} Member */

class Leaving {
  #members = new Map();

  get size() {
    return this.#members.size;
  }

  /** @param {Member} member */
  add(member) {
    this.#members.set(member.place, member);
  }

  /** Somebody else has this place. */
  forget(place) {
    this.#members.delete(place);
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
    const done = [...this.#members.values()].filter(member => member.isOpen).map(({ place }) => place);
    for (const place of done) this.#members.delete(place);
    return done;
  }
}

module.exports = { Leaving };
