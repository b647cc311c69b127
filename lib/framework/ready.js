'use strict';

// "Ready" as egg's users know it: ready(fn) waits, ready(true) and ready(error) settle it, ready() is a promise. Pure state, no
// clock; the embedded framework's Application and Agent hand their ready() on to it.

class Ready {
  #settled = false;
  #error;
  #waiting = [];

  /**
   * @param {((error?: Error) => void) | boolean | Error} [flagOrFunction] a function is called once ready, at once if it is so
   *   already; `true` or an Error makes it ready (with that error), `false` makes it unready again
   * @returns {Promise<void> | undefined} a promise where no argument is given; it rejects with the error
   */
  ready(flagOrFunction) {
    if (flagOrFunction === undefined) {
      return new Promise((resolve, reject) => {
        this.#wait(error => (error ? reject(error) : resolve()));
      });
    }
    if (typeof flagOrFunction === 'function') this.#wait(flagOrFunction);
    else this.#settle(flagOrFunction);
    return undefined;
  }

  #wait(callback) {
    if (this.#settled) callback(this.#error);
    else this.#waiting.push(callback);
  }

  #settle(flag) {
    this.#settled = flag !== false;
    this.#error = flag instanceof Error ? flag : undefined;
    if (!this.#settled) return;
    const error = this.#error;
    // Each in a tick of its own: one that throws does not keep the others from being called.
    for (const callback of this.#waiting.splice(0)) process.nextTick(callback, error);
  }
}

module.exports = { Ready };
