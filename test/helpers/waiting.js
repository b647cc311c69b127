'use strict';
// Waiting for something to become true, asked again at every event and never by the clock.

const { setTimeout: pause } = require('node:timers/promises');

// Many times what anything takes that is waited for, also where the machine does much else; below the watchdog of a test.
const WATCHDOG_MS = 50000;

class Waiting {
  /** `explain()` is asked for the state of things when a wait ends in vain. */
  constructor(explain) {
    this.explain = explain;
    this.waiters = new Set();
    this.ended = null;
  }

  /**
   * Resolves to the first truthy result of `find()`. Rejects after the watchdog's time, or as soon as nothing more can happen.
   */
  for(find, { what = String(find), timeoutMs = WATCHDOG_MS } = {}) {
    return new Promise((resolve, reject) => {
      const waiter = { find, resolve, reject, what };
      waiter.watchdog = setTimeout(() => this.fail(waiter, `not within ${timeoutMs} ms`), timeoutMs);
      this.waiters.add(waiter);
      this.ask(waiter);
      if (this.ended && this.waiters.has(waiter)) this.fail(waiter, this.ended);
    });
  }

  ask(waiter) {
    try {
      const found = waiter.find();
      if (!found) return;
      this.forget(waiter);
      waiter.resolve(found);
    } catch (error) {
      this.forget(waiter);
      waiter.reject(error);
    }
  }

  fail(waiter, reason) {
    this.forget(waiter);
    waiter.reject(new Error(`waited in vain for ${waiter.what}: ${reason}\n${this.explain()}`));
  }

  forget(waiter) {
    clearTimeout(waiter.watchdog);
    this.waiters.delete(waiter);
  }

  /** Something happened: every waiter looks again. */
  look() {
    for (const waiter of [...this.waiters]) this.ask(waiter);
  }

  /** Nothing more will happen, for `reason`: whoever still waits, waits in vain. */
  end(reason) {
    this.look();
    this.ended = reason;
    for (const waiter of [...this.waiters]) this.fail(waiter, reason);
  }
}

/** Resolves to the first truthy result of `find()`; looks again and again, for what sends no event: the kernel, another process' files. */
async function until(find, what, timeoutMs = WATCHDOG_MS) {
  const limit = Date.now() + timeoutMs;
  for (;;) {
    const found = await find();
    if (found) return found;
    if (Date.now() > limit) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await pause(20);
  }
}

module.exports = { Waiting, until };
