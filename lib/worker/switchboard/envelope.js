'use strict';

// A message between what process.send() takes and what lies on the switchboard: its kind, its name and its bytes. What arrives is what
// would have arrived by Node's channel, as JSON.

const { Encoder } = require('../../codec/encoder');
const { Decoder } = require('../../codec/decoder');
const { Region } = require('../../codec/layout');

/** The numbers of the native side's `Kind`. */
const KIND = Object.freeze({ NOTHING: 1, NULL: 2, BOOLEAN: 3, NUMBER: 4, LATIN1: 5, UTF16: 6, JSON: 8, CODEC: 9 });
const FLAG = Object.freeze({
  /** The receiver was named by its pid. */
  BY_PID: 1,
  /** The same, by egg 4's newer name. */
  BY_WORKER_ID: 4,
  /** The payload is the whole message, which has members of its own. */
  WHOLE: 2,
});

// Payloads are laid out in words of 8 bytes.
const WORD_BYTES = 8;
const FIRST_BYTES = 64 * 1024;

function roundUp(bytes) {
  return Math.ceil(bytes / WORD_BYTES) * WORD_BYTES;
}

/** Memory of this process, which grows when it must. */
class Scratch {
  region = new Region(new ArrayBuffer(FIRST_BYTES));

  ensure(bytes) {
    if (bytes <= this.region.bytes.length) return;
    this.region = new Region(new ArrayBuffer(2 ** Math.ceil(Math.log2(bytes))));
  }
}

/** Writes one message at a time; what it wrote stays until the next one. */
class EnvelopeWriter {
  #encoder = new Encoder();
  #scratch = new Scratch();

  kind = 0;
  flags = 0;
  number = 0;
  nameLength = 0;
  length = 0;

  get bytes() {
    return this.#scratch.region.bytes;
  }

  /**
   * @param {string} action
   * @param {unknown} data
   * @param {number} flags
   * @throws what JSON.stringify throws
   */
  write(action, data, flags) {
    this.flags = flags;
    this.number = 0;
    this.#writeName(action);
    switch (typeof data) {
      case 'undefined':
      case 'function':
      case 'symbol':
        return this.#writeNothing(data);
      case 'boolean':
        this.number = data ? 1 : 0;
        return this.#bare(KIND.BOOLEAN);
      case 'number':
        return this.#writeNumber(data);
      case 'string':
        return this.#writeText(data);
      default:
        return data === null ? this.#bare(KIND.NULL) : this.#writeObject(data);
    }
  }

  #bare(kind) {
    this.kind = kind;
    this.length = this.nameLength;
  }

  // What JSON leaves out, unless it has a toJSON.
  #writeNothing(data) {
    if (typeof data === 'function' && typeof data.toJSON === 'function') this.#writeObject(data);
    else this.#bare(KIND.NOTHING);
  }

  #writeNumber(data) {
    if (!Number.isFinite(data)) {
      this.#bare(KIND.NULL);
      return;
    }
    // JSON has no negative zero.
    this.number = data + 0;
    this.#bare(KIND.NUMBER);
  }

  #writeName(name) {
    const bytes = Buffer.byteLength(name);
    this.nameLength = roundUp(bytes);
    this.#scratch.ensure(this.nameLength);
    const memory = this.#scratch.region.bytes;
    memory.utf8Write(name, 0);
    memory.fill(0, bytes, this.nameLength);
  }

  #writeText(text) {
    const isAscii = Buffer.byteLength(text) === text.length;
    this.kind = isAscii ? KIND.LATIN1 : KIND.UTF16;
    this.length = this.nameLength + (isAscii ? text.length : text.length * 2);
    this.#reserve(this.length);
    const memory = this.#scratch.region.bytes;
    if (isAscii) memory.latin1Write(text, this.nameLength);
    else memory.ucs2Write(text, this.nameLength);
  }

  #writeObject(data) {
    if (!this.#encoder.encode(data, this.flags & FLAG.WHOLE ? '' : 'data')) {
      this.#writeJson(data);
      return;
    }
    this.kind = KIND.CODEC;
    this.length = this.nameLength + this.#encoder.size;
    this.#reserve(this.length);
    this.#encoder.writeTo(this.#scratch.region, this.nameLength);
  }

  #writeJson(data) {
    const text = JSON.stringify(data);
    if (text === undefined) {
      this.#bare(KIND.NOTHING);
      return;
    }
    this.#writeText(text);
    // Both spellings are text; which one is told by the number.
    this.number = this.kind;
    this.kind = KIND.JSON;
  }

  /** Room for so many bytes, the name staying where it is. */
  #reserve(bytes) {
    const { region } = this.#scratch;
    this.#scratch.ensure(roundUp(bytes));
    if (region !== this.#scratch.region) region.bytes.copy(this.#scratch.region.bytes, 0, 0, this.nameLength);
  }
}

/** Reads what EnvelopeWriter wrote in another process. */
class EnvelopeReader {
  #decoder = new Decoder();
  #scratch = new Scratch();

  get bytes() {
    return this.#scratch.region.bytes;
  }

  ensure(bytes) {
    this.#scratch.ensure(bytes);
  }

  /** @throws {import('../../codec/decoder').MalformedValue} */
  readData({ kind, nameLength, length, number }) {
    switch (kind) {
      case KIND.NOTHING: return undefined;
      case KIND.NULL: return null;
      case KIND.BOOLEAN: return number === 1;
      case KIND.NUMBER: return number;
      case KIND.LATIN1:
      case KIND.UTF16: return this.#readText(kind, nameLength, length);
      case KIND.JSON: return JSON.parse(this.#readText(number, nameLength, length));
      default: return this.#decoder.decode(this.#scratch.region, nameLength, length - nameLength);
    }
  }

  readName(nameLength) {
    const memory = this.#scratch.region.bytes;
    let end = nameLength;
    while (end > 0 && memory[end - 1] === 0) end -= 1;
    return memory.utf8Slice(0, end);
  }

  #readText(kind, from, to) {
    const memory = this.#scratch.region.bytes;
    return kind === KIND.LATIN1 ? memory.latin1Slice(from, to) : memory.ucs2Slice(from, to);
  }
}

module.exports = { EnvelopeWriter, EnvelopeReader, KIND, FLAG };
