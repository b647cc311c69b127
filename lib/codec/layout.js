'use strict';

// How a value lies in shared memory: what JSON.parse(JSON.stringify(value)) would give, in a form that is written and read faster.
//
//   header   4 words: words of the tape, doubles, chunks of text, bytes of all
//   doubles  the numbers that are no 32-bit integers
//   tape     a word per value in the order of JSON's text: a tag in the low four bits, and beside it what the tag says
//   chunks   a word per chunk of text: its characters, negative where a character has two bytes
//   text     the chunks: first the key lists of the records as JSON, then all strings one after the other
//
// A word is a signed 32-bit integer in the byte order of the machine, for both ends run on one. Strings are cut out of their chunk, and
// one that is kept keeps its chunk in memory: that is why there are several.

const TAG_BITS = 4;
/** What can stand beside a tag: below 2^27 both as a signed and as an unsigned number. */
const MAX_BESIDE = 2 ** 27 - 1;

const TAG = Object.freeze({
  /** The number is the next word. */
  INTEGER: 0,
  /** The number stands beside the tag. */
  SMALL_INTEGER: 1,
  /** The next of the doubles. */
  DOUBLE: 2,
  /** So many of the next characters. */
  TEXT: 3,
  NULL: 4,
  TRUE: 5,
  FALSE: 6,
  /** So many values follow. */
  ARRAY: 7,
  /** The values of the record with this number follow. */
  RECORD: 8,
  /** So many pairs follow, each of a value and its key. */
  DICTIONARY: 9,
});

const HEADER_WORDS = 4;
const BYTES_PER_WORD = 4;
const BYTES_PER_DOUBLE = 8;
const CHUNK_CHARACTERS = 1 << 16;

// Below this many elements a loop is faster than the views that set() needs.
const FEW = 48;

/** Copies `count` elements of one typed array into another. */
function copy(from, start, count, to, place) {
  if (count > FEW) {
    to.set(from.subarray(start, start + count), place);
    return;
  }
  for (let i = 0; i < count; i++) to[place + i] = from[start + i];
}

/** The same memory as words, doubles and bytes, for the two ends to work on without making views for each message. */
class Region {
  /** @param {ArrayBufferLike} memory its length a multiple of 8 */
  constructor(memory) {
    this.words = new Int32Array(memory);
    this.doubles = new Float64Array(memory);
    this.bytes = Buffer.from(memory);
  }
}

module.exports = { TAG, TAG_BITS, MAX_BESIDE, HEADER_WORDS, BYTES_PER_WORD, BYTES_PER_DOUBLE, CHUNK_CHARACTERS, Region, copy };
