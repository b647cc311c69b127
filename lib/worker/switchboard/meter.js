'use strict';

// What a switchboard knows of its own traffic: counters by action, what waits, and what was dropped for whom.

const { Backlog } = require('../../messenger/backlog');
const { DropReports } = require('../../messenger/drops');
const { Traffic } = require('../../messenger/traffic');

class Meter {
  #endpoint;
  #reports;
  #watchers = new Set();

  traffic = new Traffic();
  backlog;

  /**
   * @param {object} parts
   * @param {{ load: () => object, pressure: () => number, takeRefused: () => number[] }} parts.endpoint
   * @param {{ pid: string, role: string }} parts.who
   * @param {(envelope: object) => void} parts.tell to the master, by the channel
   */
  constructor({ endpoint, who, tell }) {
    this.#endpoint = endpoint;
    this.#reports = new DropReports(who, tell);
    this.backlog = new Backlog(() => endpoint.pressure());
  }

  /** @param {(drop: { action: string, reason: string, pid: string | null }) => void} watcher called while the message is sent */
  watchDrops(watcher) {
    this.#watchers.add(watcher);
  }

  /** @param {{ role: string | null, pid: string | null }} to */
  noteDropped(action, reason, to) {
    this.traffic.noteDropped(action);
    this.#reports.note({ action, reason, to });
    for (const watcher of this.#watchers) watcher({ action, reason, pid: to.pid });
  }

  load() {
    const { messages, bytes, waited, waitedMs, longestMs } = this.#endpoint.load();
    return { messages, bytes, waited, waitedMs, longestMs };
  }
}

module.exports = { Meter };
