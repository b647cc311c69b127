'use strict';

// What the workers report to have dropped: counted for status(), and told as events.

const { OWN } = require('../messenger/protocol');

class WorkerDrops {
  #emit;

  count = 0;

  /** @param {(drop: object) => void} emit */
  constructor(emit) {
    this.#emit = emit;
  }

  /** @returns {boolean} whether the message was a report */
  take({ action, data }) {
    if (action !== OWN.DROPPED) return false;
    for (const drop of Array.isArray(data?.drops) ? data.drops : []) {
      const count = Number.isSafeInteger(drop?.count) && drop.count > 0 ? drop.count : 1;
      this.count += count;
      const place = at => ({ role: at?.role ?? null, pid: Number(at?.pid) || null });
      const parties = { from: place(drop?.from ?? data.from), to: place(drop?.to) };
      this.#emit({ reason: String(drop?.reason), action: String(drop?.action), count, ...parties });
    }
    return true;
  }
}

module.exports = { WorkerDrops };
