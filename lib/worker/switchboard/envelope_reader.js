'use strict';

// Reads messages that the native side has taken. Each stays as it lies until it is delivered, for nobody may want it.

const { decodeClone } = require('../../codec/clone');
const { Decoder } = require('../../codec/decoder');
const { noteReceived } = require('../../codec/loans');
const { KIND, VIEW, ENCODING, ROW, ROW_VALUES, Scratch } = require('./envelope');

// Memory that one large message needed is not kept for ever.
const KEPT_BYTES = 1024 * 1024;

class EnvelopeReader {
  #decoder = new Decoder();
  #scratch = new Scratch();
  #desk;
  #calls;
  #nameOf;
  #actions = [];

  /**
   * @param {Record<string, Function>} calls of the native endpoint
   * @param {(number: number) => string} nameOf the native endpoint's name of an action
   */
  constructor(desk, calls, nameOf) {
    this.#desk = desk;
    this.#calls = calls;
    this.#nameOf = nameOf;
  }

  /** @returns {number} how many messages there are; each is to be read or skipped, in order, before more are taken */
  receive() {
    return this.#calls.receive();
  }

  place(index) {
    return this.#desk.rows[index * ROW_VALUES + ROW.PLACE];
  }

  flags(index) {
    return this.#desk.rows[index * ROW_VALUES + ROW.FLAGS];
  }

  /** For how many milliseconds it was on its way, where its flags say that this is known. */
  waitedMs(index) {
    return this.#desk.rows[index * ROW_VALUES + ROW.NUMBER];
  }

  /** What the message is called. */
  action(index) {
    const { rows, intake } = this.#desk;
    const row = index * ROW_VALUES;
    const number = rows[row + ROW.ACTION];
    if (number >= 0) return this.#actions[number] ??= this.#nameOf(number);
    const start = rows[row + ROW.START];
    let end = start >= 0 ? start : -1 - start;
    const from = end - rows[row + ROW.SPELT];
    while (end > from && intake.bytes[end - 1] === 0) end -= 1;
    return intake.bytes.utf8Slice(from, end);
  }

  /**
   * What it carries; once.
   * @throws {Error} where it is none
   */
  data(index) {
    const { rows } = this.#desk;
    const row = index * ROW_VALUES;
    const kind = rows[row + ROW.KIND];
    switch (kind) {
      case KIND.LATIN1: return this.#text(row, ENCODING.LATIN1);
      case KIND.UTF16: return this.#text(row, ENCODING.UTF16);
      case KIND.JSON: return JSON.parse(this.#text(row, rows[row + ROW.NUMBER]));
      case KIND.CODEC: return this.#decode(row);
      case KIND.CLONE: return this.#clone(row);
      case KIND.BYTES: return this.#bytes(row);
    }
    this.skip(index);
    switch (kind) {
      case KIND.NULL: return null;
      case KIND.BOOLEAN: return rows[row + ROW.NUMBER] === 1;
      case KIND.NUMBER: return rows[row + ROW.NUMBER];
      default: return undefined;
    }
  }

  /** How many bytes of it stay where they are until it is delivered. */
  bytesInPlace(index) {
    const row = index * ROW_VALUES;
    return this.#desk.rows[row + ROW.START] < 0 ? this.#desk.rows[row + ROW.LENGTH] : 0;
  }

  /** Leaves it unread. */
  skip(index) {
    if (this.#desk.rows[index * ROW_VALUES + ROW.START] < 0) this.#calls.pass();
  }

  /** Gives memory back that was needed for large messages. */
  tidy() {
    this.#scratch.shrink(KEPT_BYTES);
  }

  #text(row, encoding) {
    const { rows, intake } = this.#desk;
    const start = rows[row + ROW.START];
    if (start < 0) return this.#calls.takeText(encoding) ?? unreadable();
    const end = start + rows[row + ROW.LENGTH];
    return encoding === ENCODING.LATIN1 ? intake.bytes.latin1Slice(start, end) : intake.bytes.ucs2Slice(start, end);
  }

  #decode(row) {
    const { region, start, length } = this.#regionOf(row);
    return this.#decoder.decode(region, start, length);
  }

  #clone(row) {
    const { rows } = this.#desk;
    if (rows[row + ROW.ATTACHED] > 0) {
      const parts = this.#parts(row);
      return decodeClone(this.#scratch.region, 0, rows[row + ROW.LENGTH], parts);
    }
    const { region, start, length } = this.#regionOf(row);
    return decodeClone(region, start, length);
  }

  /** What is attached; the rest is in the scratch. */
  #parts(row) {
    this.#scratch.ensure(this.#desk.rows[row + ROW.LENGTH]);
    const parts = this.#calls.takeParts(this.#scratch.region.bytes);
    if (!parts) unreadable();
    for (const part of parts) noteReceived(part, this.#calls.detach);
    return parts;
  }

  #regionOf(row) {
    const { rows, intake } = this.#desk;
    const start = rows[row + ROW.START];
    const length = rows[row + ROW.LENGTH];
    if (start >= 0) return { region: intake, start, length };
    this.#scratch.ensure(length);
    const { region } = this.#scratch;
    // What cannot be read any more is read as nothing, and refused.
    return { region, start: 0, length: this.#calls.takeBytes(region.bytes) ? length : 0 };
  }

  #bytes(row) {
    const { rows, intake } = this.#desk;
    const isBuffer = rows[row + ROW.NUMBER] !== VIEW.UINT8_ARRAY;
    if (rows[row + ROW.ATTACHED] > 0) {
      const [memory] = this.#parts(row);
      return isBuffer ? Buffer.from(memory) : new Uint8Array(memory);
    }
    const start = rows[row + ROW.START];
    const length = rows[row + ROW.LENGTH];
    // Not from the pool: nobody else's bytes belong to this memory.
    const bytes = Buffer.allocUnsafeSlow(length);
    if (start >= 0) intake.bytes.copy(bytes, 0, start, start + length);
    else if (!this.#calls.takeBytes(bytes)) unreadable();
    return isBuffer ? bytes : new Uint8Array(bytes.buffer);
  }
}

/** Its sender was set apart meanwhile, or has changed what it had said of it. */
function unreadable() {
  throw new Error('bytes in shared memory cannot be read any more');
}

module.exports = { EnvelopeReader };
