'use strict';

// Which messages are timed. A look at the clock costs as much as a tenth of a small message, so of many it is not taken for each: the
// first of about a second are all timed, and then one in so many.

const AT_ONCE = 256;
const ONE_IN = 64;
const PERIOD_MS = 1000;

class Sampler {
  #left = AT_ONCE;
  #passed = 0;
  #since;
  #now;

  /** @param {() => number} [now] in milliseconds */
  constructor(now = () => performance.now()) {
    this.#now = now;
    this.#since = now();
  }

  /** Whether this one is timed. */
  takes() {
    if (this.#left > 0) {
      this.#left -= 1;
      return true;
    }
    this.#passed += 1;
    if (this.#passed < ONE_IN) return false;
    this.#passed = 0;
    const now = this.#now();
    if (now - this.#since >= PERIOD_MS) {
      this.#since = now;
      this.#left = AT_ONCE;
    }
    return true;
  }
}

module.exports = { Sampler, AT_ONCE, ONE_IN };
