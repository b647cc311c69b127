'use strict';

// What a switchboard knows of its own traffic: counters by action, what waits, and what was dropped for whom.

const { Backlog } = require('../../messenger/backlog');
const { DropReports } = require('../../messenger/drops');
const { Sampler } = require('../../messenger/sampler');
const { sizeOf } = require('../../messenger/size_of');
const { Traffic } = require('../../messenger/traffic');
const { FLAG } = require('./envelope');

// What has room on the page of a process (src/sys/pulse.rs).
const LAST_REPORT_BYTES = 4900;

class Meter {
  #endpoint;
  #reports;
  #tell;
  #leaveWord;
  #watchers = new Set();
  #logger;
  #count = 0;
  // Which messages take along when they were sent, and which have their listeners timed.
  #stamps = new Sampler();
  #runs = new Sampler();

  traffic = new Traffic();
  backlog;

  /**
   * @param {object} parts
   * @param {{ load: () => object, pressure: () => number, takeRefused: () => number[] }} parts.endpoint
   * @param {{ pid: string, role: string }} parts.who
   * @param {(envelope: object) => boolean} parts.tell to the master, by the channel; false where that is closed
   * @param {(about: string, text: string) => boolean} parts.leaveWord for the master to read at the end; false where it cannot
   * @param {{ warn: Function }} parts.logger
   */
  constructor({ endpoint, who, tell, leaveWord, logger }) {
    this.#logger = logger;
    this.#endpoint = endpoint;
    this.#tell = tell;
    this.#leaveWord = leaveWord;
    this.#reports = new DropReports(who, tell);
    this.backlog = new Backlog(() => endpoint.pressure());
  }

  /** @param {(drop: { action: string, reason: string, pid: string | null }) => void} watcher called while the message is sent */
  watchDrops(watcher) {
    this.#watchers.add(watcher);
  }

  /**
   * @param {object} drop one message
   * @param {string} drop.action
   * @param {string} drop.reason a word
   * @param {string} drop.text the same, for the log
   * @param {Array<{ role: string, pid: string } | undefined>} drop.receivers who did not get it
   * @param {{ role: string, pid: string }} [drop.from] who sent it, where that is another process
   */
  noteDropped({ action, reason, text, receivers, from }) {
    const sender = from && { role: from.role, pid: from.pid };
    this.#count += 1;
    // One line for the first and then for every power of two.
    if (Number.isInteger(Math.log2(this.#count))) this.#logger.warn(`[messenger] a message was dropped: ${text} (${this.#count} so far)`);
    for (const { role = null, pid = null } of receivers.map(receiver => receiver ?? {})) {
      this.traffic.noteDropped(action);
      this.#reports.note({ action, reason, to: { role, pid }, from: sender });
      for (const watcher of this.#watchers) watcher({ action, reason, pid });
    }
  }

  /**
   * What was sent to a process and does not get there.
   * @param {Array<{ action: string, count: number }>} losses
   * @param {{ role: string, pid: string }} to
   * @param {string} reason a word
   * @returns {number} how many messages
   */
  noteLost(losses, { role, pid }, reason) {
    let total = 0;
    for (const { action, count } of losses) {
      total += count;
      this.traffic.noteDropped(action, count);
      this.#reports.note({ action, reason, to: { role, pid }, count });
    }
    return total;
  }

  /** Tells the master what was dropped and not told yet: this process ends, and its channel may be closed, or full. */
  tellDropped() {
    const text = this.#reports.takeLast(LAST_REPORT_BYTES);
    if (text !== null && !this.#leaveWord('dropped', text)) this.#tell(JSON.parse(text));
  }

  /** The flags of the next message to be sent. */
  flagsFor(flags) {
    return this.#stamps.takes() ? flags | FLAG.STAMPED : flags;
  }

  /** @param {import('./envelope_reader').EnvelopeReader} reader which has it at this index */
  noteReceived(reader, index, action) {
    this.traffic.noteReceived(action);
    if (reader.flags(index) & FLAG.STAMPED) this.traffic.noteWaited(action, reader.waitedMs(index));
  }

  /**
   * @template {(message: unknown, ...rest: unknown[]) => unknown} Send
   * @param {Send} send by Node's channel
   * @returns {Send} the same, but it counts what is sent
   */
  counting(send) {
    return (message, ...rest) => {
      const answer = send(message, ...rest);
      const action = actionOf(message);
      if (action !== undefined) this.traffic.noteSent(action, sizeOf(message.data ?? message));
      return answer;
    };
  }

  /** A message has come by Node's channel. */
  noteHeard(message) {
    const action = actionOf(message);
    if (action !== undefined) this.traffic.noteReceived(action);
  }

  /** Has listeners take a message. What they do before their first await is timed, of some messages. */
  hand(message, emit) {
    if (!this.#runs.takes()) {
      emit('message', message, undefined);
      return;
    }
    const since = performance.now();
    try {
      emit('message', message, undefined);
    } finally {
      this.traffic.noteRun(message?.action, performance.now() - since);
    }
  }

  load() {
    const { messages, bytes, waited, waitedMs, longestMs } = this.#endpoint.load();
    return { messages, bytes, waited, waitedMs, longestMs };
  }

  /** Bytes of shared memory that are lent, or that receivers hold in place. */
  get inPlaceBytes() {
    return this.#endpoint.load().inPlaceBytes;
  }
}

/** Of a message by Node's channel; undefined where it is none of the app's. */
function actionOf(message) {
  if (typeof message === 'string') return message;
  const { action, cmd } = message ?? {};
  if (typeof cmd === 'string' && cmd.startsWith('NODE_')) return undefined;
  return typeof action === 'string' ? action : undefined;
}

module.exports = { Meter };
