'use strict';

// When memory that was needed once is given back: when nothing was sent for a while.

const TIDY_MS = 1000;

class Tidying {
  #tidy;
  #timer = null;
  #isUntidy = false;

  /** @param {() => void} tidy */
  constructor(tidy) {
    this.#tidy = tidy;
  }

  /** Something is sent. */
  note() {
    this.#isUntidy = true;
    if (!this.#timer) this.#wait();
  }

  #wait() {
    this.#timer = setTimeout(() => this.#look(), TIDY_MS).unref();
  }

  #look() {
    if (this.#isUntidy) {
      this.#isUntidy = false;
      this.#wait();
      return;
    }
    this.#timer = null;
    this.#tidy();
  }
}

module.exports = { Tidying };
