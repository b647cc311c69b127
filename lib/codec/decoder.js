'use strict';

// Reads what encoder.js wrote. The memory is another process's: whatever stands there, the answer is a value or MalformedValue, within a
// time and a memory that its size bounds.

const { TAG, TAG_BITS, HEADER_WORDS, BYTES_PER_WORD, BYTES_PER_DOUBLE, copy } = require('./layout');
const { define, recordsOf } = require('./records');

const { INTEGER, SMALL_INTEGER, DOUBLE, TEXT, NULL, TRUE, FALSE, ARRAY, RECORD, DICTIONARY } = TAG;
const TAG_MASK = (1 << TAG_BITS) - 1;

class MalformedValue extends Error {
  constructor(reason) {
    super(`a value in shared memory is malformed: ${reason}`);
    this.name = 'MalformedValue';
  }
}

class Decoder {
  #tape = new Int32Array(1024);
  #words = 0;
  #at = 0;
  #doubles = null;
  #double = 0;
  #lastDouble = 0;
  #region = null;
  #chunkWord = 0;
  #lastChunk = 0;
  #place = 0;
  #end = 0;
  #chunk = '';
  #cut = 0;
  #records = null;

  /**
   * @param {import('./layout').Region} region
   * @param {number} offset in bytes, a multiple of 8
   * @param {number} size in bytes
   * @throws {MalformedValue}
   */
  decode(region, offset, size) {
    this.#open(region, offset, size);
    this.#records = recordsOf(this.#nextChunk());
    if (!this.#records) throw new MalformedValue('its key lists are none');
    this.#nextChunk();
    const value = this.read();
    if (this.#at !== this.#words) throw new MalformedValue(`it ends after ${this.#at} of ${this.#words} words`);
    this.#region = this.#doubles = this.#records = null;
    this.#chunk = '';
    return value;
  }

  #open(region, offset, size) {
    const { words } = region;
    let at = offset / BYTES_PER_WORD;
    const tapeWords = words[at];
    const doubles = words[at + 1];
    const chunks = words[at + 2];
    const fixed = (HEADER_WORDS + tapeWords + chunks) * BYTES_PER_WORD + doubles * BYTES_PER_DOUBLE;
    if (tapeWords < 1 || doubles < 0 || chunks < 1 || fixed > size) {
      throw new MalformedValue(`${tapeWords} words, ${doubles} doubles and ${chunks} chunks in ${size} bytes`);
    }
    at += HEADER_WORDS;
    this.#region = region;
    this.#doubles = region.doubles;
    this.#double = at / 2;
    this.#lastDouble = this.#double + doubles;
    at += doubles * 2;
    // A copy: its owner could change a word between a check and its use.
    if (tapeWords > this.#tape.length) this.#tape = new Int32Array(2 ** Math.ceil(Math.log2(tapeWords)));
    copy(words, at, tapeWords, this.#tape, 0);
    this.#words = tapeWords;
    this.#at = 0;
    at += tapeWords;
    this.#chunkWord = at;
    this.#lastChunk = at + chunks;
    this.#place = this.#lastChunk * BYTES_PER_WORD;
    this.#end = offset + size;
  }

  #nextChunk() {
    this.#cut = 0;
    if (this.#chunkWord === this.#lastChunk) return this.#chunk = '';
    const length = this.#region.words[this.#chunkWord++];
    const bytes = length < 0 ? -2 * length : length;
    const from = this.#place;
    if (bytes > this.#end - from) throw new MalformedValue(`a text of ${bytes} bytes where ${this.#end - from} are left`);
    this.#place = from + bytes;
    const memory = this.#region.bytes;
    return this.#chunk = length < 0 ? memory.ucs2Slice(from, this.#place) : memory.latin1Slice(from, this.#place);
  }

  /** The next value. For the constructors of records.js. */
  read() {
    if (this.#at >= this.#words) throw new MalformedValue('it has no end');
    const word = this.#tape[this.#at++];
    switch (word & TAG_MASK) {
      case INTEGER: return this.#tape[this.#at++];
      case SMALL_INTEGER: return word >> TAG_BITS;
      case DOUBLE: return this.#readDouble();
      case TEXT: return this.#readText(word >> TAG_BITS);
      case NULL: return null;
      case TRUE: return true;
      case FALSE: return false;
      case ARRAY: return this.#readList(word >> TAG_BITS);
      case RECORD: return this.#readRecord(word >> TAG_BITS);
      case DICTIONARY: return this.#readDictionary(word >> TAG_BITS);
      default: throw new MalformedValue(`the tag ${word & TAG_MASK} is unknown`);
    }
  }

  #readDouble() {
    if (this.#double === this.#lastDouble) throw new MalformedValue('it has fewer doubles than it says');
    return this.#doubles[this.#double++];
  }

  #readText(length) {
    if (length <= 0) return '';
    let from = this.#cut;
    if (from === this.#chunk.length) {
      this.#nextChunk();
      from = 0;
    }
    this.#cut = from + length;
    if (this.#cut > this.#chunk.length) throw new MalformedValue(`a text of ${length} where ${this.#chunk.length - from} are left`);
    return this.#chunk.slice(from, this.#cut);
  }

  // Each element has a word at least, so a length that lies is found before anything is made of it.
  #checkLength(length) {
    const left = this.#words - this.#at;
    if (length < 0 || length > left) throw new MalformedValue(`${length} elements where ${left} words are left`);
  }

  #readList(length) {
    this.#checkLength(length);
    const list = [];
    for (let i = 0; i < length; i++) list.push(this.read());
    return list;
  }

  #readRecord(number) {
    const record = this.#records[number];
    if (record === undefined) throw new MalformedValue(`there is no record ${number}`);
    return record.make(this);
  }

  #readDictionary(length) {
    this.#checkLength(length);
    const dictionary = {};
    for (let i = 0; i < length; i++) {
      const value = this.read();
      const key = this.read();
      if (typeof key !== 'string') throw new MalformedValue('a key is no text');
      define(dictionary, key, value);
    }
    return dictionary;
  }
}

module.exports = { Decoder, MalformedValue };
