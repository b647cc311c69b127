'use strict';

// Writes a value as layout.js draws it. It comes out as JSON would have it: what JSON.stringify calls (toJSON, getters) is called here
// once and in the same order, and what it refuses is refused with its own error. Only where encode() answers false is it called again.

const { isBoxedPrimitive, isNumberObject, isStringObject, isBooleanObject, isBigIntObject } = require('util').types;
const { TAG, TAG_BITS, MAX_BESIDE, HEADER_WORDS, BYTES_PER_WORD, BYTES_PER_DOUBLE, copy } = require('./layout');
const { ShapeTree } = require('./shapes');
const { TextWriter } = require('./text_writer');

const { INTEGER, SMALL_INTEGER, DOUBLE, TEXT, NULL, TRUE, FALSE, ARRAY, RECORD, DICTIONARY } = TAG;

// What is nested deeper is most likely cyclic; JSON.stringify finds that out, and says it in its own words.
const MAX_DEPTH = 500;
// An object with more keys is a dictionary and no record.
const MAX_RECORD_KEYS = 64;

const OBJECT = Object.prototype;

const NO_FORM = Symbol('no form');

class Encoder {
  #shapes = new ShapeTree();
  #text = new TextWriter();
  #tape = new Int32Array(1024);
  #doubles = new Float64Array(256);
  #words = 0;
  #numbers = 0;
  // The key lists of the records, and what stands between them, as JSON; how many they are.
  #lists = '';
  #records = 0;
  #message = 0;
  // The shape of the last object at each depth: the next one's, mostly.
  #likely = [];

  /** The bytes that writeTo() will write. */
  size = 0;

  /**
   * Takes a value down, for writeTo().
   * @param {object} value
   * @param {string} [key] where it stands, for its toJSON
   * @returns {boolean} false where it has no form here and JSON.stringify must be asked
   * @throws whatever JSON.stringify(value) throws
   */
  encode(value, key = '') {
    this.#words = 0;
    this.#numbers = 0;
    this.#lists = '';
    this.#records = 0;
    this.#message += 1;
    this.#text.clear();
    try {
      if (!this.#write(value, key, 0)) return false;
    } catch (error) {
      if (error === NO_FORM) return false;
      throw error;
    }
    this.#text.finish(`[${this.#lists}]`);
    this.size = (HEADER_WORDS + this.#words + this.#text.chunks.length) * BYTES_PER_WORD
      + this.#numbers * BYTES_PER_DOUBLE + this.#text.bytes;
    return true;
  }

  /**
   * @param {import('./layout').Region} region
   * @param {number} offset in bytes, a multiple of 8; `size` bytes from there are free
   */
  writeTo({ words, doubles, bytes }, offset) {
    let at = offset / BYTES_PER_WORD;
    words[at] = this.#words;
    words[at + 1] = this.#numbers;
    words[at + 2] = this.#text.chunks.length;
    words[at + 3] = this.size;
    at += HEADER_WORDS;
    copy(this.#doubles, 0, this.#numbers, doubles, at / 2);
    at += this.#numbers * 2;
    copy(this.#tape, 0, this.#words, words, at);
    at += this.#words;
    this.#text.writeTo(words, at, bytes);
  }

  /** @returns {boolean} false where JSON leaves the value out */
  #write(value, key, depth) {
    if (this.#words + 2 > this.#tape.length) this.#tape = longer(this.#tape);
    switch (typeof value) {
      case 'string':
        this.#writeText(value);
        return true;
      case 'number':
        this.#writeNumber(value);
        return true;
      case 'boolean':
        this.#tape[this.#words++] = value ? TRUE : FALSE;
        return true;
      case 'undefined':
      case 'symbol':
        return false;
      case 'object':
        if (value === null) {
          this.#tape[this.#words++] = NULL;
          return true;
        }
    }
    return this.#writeObject(value, key, depth);
  }

  #writeText(value) {
    if (value.length > MAX_BESIDE) throw NO_FORM;
    this.#tape[this.#words++] = value.length << TAG_BITS | TEXT;
    this.#text.add(value);
  }

  #writeNumber(value) {
    const integer = value | 0;
    if (integer === value) {
      if (integer <= MAX_BESIDE && integer >= -MAX_BESIDE) {
        this.#tape[this.#words++] = integer << TAG_BITS | SMALL_INTEGER;
      } else {
        this.#tape[this.#words++] = INTEGER;
        this.#tape[this.#words++] = integer;
      }
    } else if (Number.isFinite(value)) {
      if (this.#numbers === this.#doubles.length) this.#doubles = longer(this.#doubles);
      this.#tape[this.#words++] = DOUBLE;
      this.#doubles[this.#numbers++] = value;
    } else {
      this.#tape[this.#words++] = NULL;
    }
  }

  // Objects, functions and BigInts: what may have a toJSON.
  #writeObject(value, key, depth) {
    const { toJSON } = value;
    if (typeof toJSON === 'function') {
      const converted = toJSON.call(value, String(key));
      if (typeof converted !== 'object' && typeof converted !== 'function' && typeof converted !== 'bigint') {
        return this.#write(converted, key, depth);
      }
      // JSON does not ask again.
      value = converted;
      if (value === null) return this.#write(null, key, depth);
    }
    if (typeof value === 'function') return false;
    if (typeof value === 'bigint') return refuse(value);
    if (depth === MAX_DEPTH) throw NO_FORM;
    // A list is one by what it is made of, whatever its prototype.
    if (Array.isArray(value)) return this.#writeList(value, depth);
    if (Object.getPrototypeOf(value) === OBJECT) return this.#writeKeys(value, depth);
    const primitive = primitiveOf(value);
    return primitive === undefined ? this.#writeKeys(value, depth) : this.#write(primitive, key, depth);
  }

  #writeList(list, depth) {
    const { length } = list;
    if (length > MAX_BESIDE) throw NO_FORM;
    this.#tape[this.#words++] = length << TAG_BITS | ARRAY;
    for (let i = 0; i < length; i++) {
      if (!this.#write(list[i], i, depth + 1)) this.#tape[this.#words++] = NULL;
    }
    return true;
  }

  #writeKeys(object, depth) {
    const keys = Object.keys(object);
    const { length } = keys;
    if (length > MAX_RECORD_KEYS) return this.#writeDictionary(object, keys, depth);
    const at = this.#words++;
    // Without those that JSON leaves out; made only where there are any.
    let kept = null;
    for (let i = 0; i < length; i++) {
      const key = keys[i];
      if (this.#write(object[key], key, depth + 1)) kept?.push(key);
      else kept ??= keys.slice(0, i);
    }
    this.#tape[at] = this.#recordNumber(kept ?? keys, depth) << TAG_BITS | RECORD;
    return true;
  }

  #recordNumber(keys, depth) {
    let shape = this.#likely[depth];
    if (shape === undefined || !shape.hasKeys(keys)) this.#likely[depth] = shape = this.#shapes.find(keys);
    if (shape.message !== this.#message) {
      shape.message = this.#message;
      shape.number = this.#records++;
      this.#lists += shape.number === 0 ? shape.text : `,${shape.text}`;
    }
    return shape.number;
  }

  #writeDictionary(object, keys, depth) {
    const at = this.#words++;
    let count = 0;
    for (const key of keys) {
      if (!this.#write(object[key], key, depth + 1)) continue;
      if (this.#words === this.#tape.length) this.#tape = longer(this.#tape);
      this.#writeText(key);
      count += 1;
    }
    this.#tape[at] = count << TAG_BITS | DICTIONARY;
    return true;
  }
}

function longer(array) {
  const grown = new array.constructor(array.length * 2);
  grown.set(array);
  return grown;
}

/** What JSON takes the place of such an object by; undefined for an object like any other. */
function primitiveOf(value) {
  if (JSON.isRawJSON?.(value)) return JSON.parse(value.rawJSON);
  if (!isBoxedPrimitive(value)) return undefined;
  if (isNumberObject(value)) return Number(value);
  if (isStringObject(value)) return String(value);
  if (isBooleanObject(value)) return Boolean.prototype.valueOf.call(value);
  return isBigIntObject(value) ? BigInt.prototype.valueOf.call(value) : undefined;
}

/** Throws what JSON.stringify has to say of a BigInt that has no toJSON, or whose toJSON gave another BigInt. */
function refuse(value) {
  return JSON.stringify(Object.assign(Object.create(null), { toJSON: () => value }));
}

module.exports = { Encoder };
