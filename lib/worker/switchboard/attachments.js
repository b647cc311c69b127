'use strict';

// What goes with the next message without being copied into it: Buffers that were lent, and long ones, which are copied once into blocks
// that their receivers read in place.

const { HEAD, MAX_ATTACHED, ATTACHED_VALUES } = require('./envelope');

// Shorter ones are copied by their receivers all the same.
const LONG_BYTES = 64 * 1024;
const WORD_BYTES = 8;

class Attachments {
  #desk;
  #calls;
  #count = 0;

  /**
   * @param {import('./envelope').Desk} desk
   * @param {Record<string, Function>} calls of the native endpoint
   */
  constructor(desk, calls) {
    this.#desk = desk;
    this.#calls = calls;
  }

  /** Whether it is worth a look. */
  static isFor({ loan, length }) {
    return length >= LONG_BYTES || (length > 0 && loan !== undefined);
  }

  /**
   * Attaches bytes.
   * @param {import('../../codec/clone').OutgoingView} view
   * @returns {number} its number in the message; -1 where it must be written into it
   */
  add(view) {
    if (this.#count === MAX_ATTACHED || !Attachments.isFor(view) || !view.isHere) return -1;
    const { loan, range, length } = view;
    const isLent = typeof loan?.number === 'number' && range.offset % WORD_BYTES === 0;
    let source;
    if (isLent) {
      source = loan.number;
    } else {
      const staged = length < LONG_BYTES ? -1 : this.#calls.stage(view.bytes());
      if (staged < 0) return -1;
      source = -1 - staged;
    }
    const { attached } = this.#desk;
    const at = this.#count * ATTACHED_VALUES;
    attached[at] = source;
    attached[at + 1] = isLent ? range.offset : 0;
    attached[at + 2] = length;
    return this.#count++;
  }

  /** Begins with a message. One that could not be written may have left some. */
  begin() {
    this.#count = 0;
  }

  /** Writes how many there are. */
  finish() {
    this.#desk.head[HEAD.ATTACHED] = this.#count;
  }
}

module.exports = { Attachments };
