'use strict';

// What cannot go on at once, as the app sees it: how full the queues of this process are, told when that changes much, and what was
// dropped, told to the master in small numbers whatever happens.

// Where `pressure` is told and where `drain` is; apart, so that neither is told at every message.
const HIGH = 0.5;
const LOW = 0.1;

class Backlog {
  #measure;
  #isHigh = false;

  /** Called with 'pressure' or 'drain' and the pressure. */
  onChange = () => {};

  /** @param {() => number} measure the pressure, 0 to 1 */
  constructor(measure) {
    this.#measure = measure;
  }

  get pressure() {
    return this.#measure();
  }

  /** Looks whether there is something to tell. */
  look() {
    const pressure = this.#measure();
    if (!this.#isHigh && pressure >= HIGH) {
      this.#isHigh = true;
      this.onChange('pressure', pressure);
    } else if (this.#isHigh && pressure <= LOW) {
      this.#isHigh = false;
      this.onChange('drain', pressure);
    }
  }
}

module.exports = { Backlog, HIGH, LOW };
