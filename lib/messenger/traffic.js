'use strict';

// What went through a messenger, by action: numbers only, and never more than so many of them, whatever apps send. They lie on a page
// that the master reads at any time, where there is one (src/sys/tally.rs has its layout), so stats() and `/metrics` tell the same.

// Actions may be made of anything, such as an id each; what is beyond shares one row.
const MAX_ACTIONS = 500;
const REST = '(other)';
const REST_ROW = 0;

/** Where what stands in a row, in doubles. */
const ROW_VALUES = 32;
const COLUMN = Object.freeze({
  SENT: 0, RECEIVED: 1, BYTES: 2, LARGEST: 3, DROPPED: 4, QUEUED: 5,
  WAITS: 6, WAITED_MS: 7, LONGEST_WAIT_MS: 8, RUNS: 9, RUN_MS: 10, LONGEST_RUN_MS: 11, SLOW_RUNS: 12,
});

/** Listeners of one message that take longer are slow. */
const SLOW_MS = 50;

// Registered: the messenger may be another copy of the package than the worker script.
const TALLY = Symbol.for('egg-clutch.tally');

/** @returns {{ values: Float64Array, rowOf: (action: string) => number }} a page that nobody else reads */
function ownPage() {
  let last = REST_ROW;
  return { values: new Float64Array((MAX_ACTIONS + 1) * ROW_VALUES), rowOf: () => (last < MAX_ACTIONS ? ++last : REST_ROW) };
}

class Traffic {
  #values;
  #rowOf;
  #rows = new Map();
  #isRestUsed = false;

  constructor({ values, rowOf } = globalThis[TALLY] ?? ownPage()) {
    this.#values = values;
    this.#rowOf = rowOf;
  }

  /** Where the row of an action begins. */
  #of(action) {
    const known = this.#rows.get(action);
    if (known !== undefined) return known;
    // A message need not have one.
    const row = this.#rows.size < MAX_ACTIONS && typeof action === 'string' ? this.#rowOf(action) : REST_ROW;
    if (row === REST_ROW) this.#isRestUsed = true;
    else this.#rows.set(action, row * ROW_VALUES);
    return row * ROW_VALUES;
  }

  /** One message, to however many receivers. */
  noteSent(action, bytes) {
    const at = this.#of(action);
    const values = this.#values;
    values[at + COLUMN.SENT] += 1;
    values[at + COLUMN.BYTES] += bytes;
    if (bytes > values[at + COLUMN.LARGEST]) values[at + COLUMN.LARGEST] = bytes;
  }

  noteReceived(action) {
    this.#values[this.#of(action) + COLUMN.RECEIVED] += 1;
  }

  noteDropped(action, count = 1) {
    this.#values[this.#of(action) + COLUMN.DROPPED] += count;
  }

  /** Waits where it is sent; with -1 not any more. */
  noteQueued(action, change) {
    this.#values[this.#of(action) + COLUMN.QUEUED] += change;
  }

  /** How long a message was on its way, of which that is known. */
  noteWaited(action, ms) {
    this.#noteTime(this.#of(action) + COLUMN.WAITS, ms);
  }

  /** How long the listeners of one message have run, where that was timed. */
  noteRun(action, ms) {
    const at = this.#of(action);
    this.#noteTime(at + COLUMN.RUNS, ms);
    if (ms > SLOW_MS) this.#values[at + COLUMN.SLOW_RUNS] += 1;
  }

  /** Three numbers lie one behind the other: how often, how long together, how long at most. */
  #noteTime(at, ms) {
    const values = this.#values;
    values[at] += 1;
    values[at + 1] += ms;
    if (ms > values[at + 2]) values[at + 2] = ms;
  }

  /** @returns {Record<string, object>} see ActionStats of index.d.ts */
  snapshot() {
    const rows = this.#isRestUsed ? [...this.#rows, [REST, REST_ROW]] : [...this.#rows];
    return Object.fromEntries(rows.map(([action, at]) => [action, this.#statsAt(at)]));
  }

  #statsAt(at) {
    const value = column => this.#values[at + column];
    return {
      sent: value(COLUMN.SENT),
      received: value(COLUMN.RECEIVED),
      bytes: value(COLUMN.BYTES),
      largest: value(COLUMN.LARGEST),
      dropped: value(COLUMN.DROPPED),
      queued: value(COLUMN.QUEUED),
      timeInQueue: { timed: value(COLUMN.WAITS), totalMs: value(COLUMN.WAITED_MS), longestMs: value(COLUMN.LONGEST_WAIT_MS) },
      listeners: {
        timed: value(COLUMN.RUNS), totalMs: value(COLUMN.RUN_MS), longestMs: value(COLUMN.LONGEST_RUN_MS), slow: value(COLUMN.SLOW_RUNS),
      },
    };
  }
}

/**
 * Has this process count on a page that its master reads, from now on.
 * @param {{ tally: () => Float64Array | null, tallyRow: (action: string) => number }} binding
 */
function shareTraffic(binding) {
  const values = binding.tally();
  if (values) globalThis[TALLY] = { values, rowOf: action => binding.tallyRow(action) };
}

module.exports = { Traffic, shareTraffic, MAX_ACTIONS, REST, SLOW_MS };
