'use strict';
// What workers have said of the connections that they took (test/fixtures/orders/hands.js), read when all is over.

// One record of a lane brings so many at most.
const MOST_AT_ONCE = 8;
const LINE = /^(reach|reached|hand) (\d+)(?: (\d+))?(?: (\S+) (\d+))?$/gm;

const endOf = (address, port) => `${address.replace('::ffff:', '')} ${port}`;

class Hands {
  /** By pid and client's end: when it was taken, each time. */
  #times = new Map();
  /** By pid: how many it may have taken by its last call without having said which. */
  #unsaid = new Map();

  /** @param {string} text */
  constructor(text) {
    for (const [, word, pid, number, address, time] of text.matchAll(LINE)) {
      if (word === 'reach') this.#unsaid.set(pid, MOST_AT_ONCE);
      else if (word === 'reached') this.#unsaid.set(pid, Number(number));
      else this.#take(pid, endOf(address, number), BigInt(time));
    }
  }

  #take(pid, end, time) {
    const key = `${pid} ${end}`;
    if (!this.#times.has(key)) this.#times.set(key, []);
    this.#times.get(key).push(time);
    this.#unsaid.set(pid, Math.max((this.#unsaid.get(pid) ?? 0) - 1, 0));
  }

  /** Whether this process took the connection from that end between the two times. */
  had(pid, { localAddress, localPort }, from, to) {
    const times = this.#times.get(`${pid} ${endOf(localAddress, localPort)}`) ?? [];
    return times.some(time => time >= from && time <= to);
  }

  /** How many connections this process may have died with of which it could not tell any more. */
  unsaid(pid) {
    return this.#unsaid.get(String(pid)) ?? 0;
  }
}

module.exports = { Hands };
