'use strict';

// The strings of a message, put together into few: writing and reading many small ones costs a call each.

const { CHUNK_CHARACTERS } = require('./layout');

class TextWriter {
  #open = '';
  // Of each chunk its characters, negative where a character has two bytes.
  #lengths = [];

  /** The first is for the key lists. */
  chunks = [''];
  /** Of all chunks together; known after finish(). */
  bytes = 0;

  clear() {
    this.#open = '';
    this.chunks = [''];
  }

  add(text) {
    if (text.length >= CHUNK_CHARACTERS) {
      // A long one shares its chunk with nobody: it is read as it is, not cut out.
      this.#close();
      this.chunks.push(text);
      return;
    }
    this.#open += text;
    if (this.#open.length >= CHUNK_CHARACTERS) this.#close();
  }

  /** @param {string} keyLists */
  finish(keyLists) {
    this.#close();
    this.chunks[0] = keyLists;
    this.bytes = 0;
    for (let i = 0; i < this.chunks.length; i++) {
      const chunk = this.chunks[i];
      const ascii = isAscii(chunk);
      this.#lengths[i] = ascii ? chunk.length : -chunk.length;
      this.bytes += ascii ? chunk.length : chunk.length * 2;
    }
  }

  /** Writes a word per chunk from `at`, and behind these the chunks. */
  writeTo(words, at, bytes) {
    let place = (at + this.chunks.length) * words.BYTES_PER_ELEMENT;
    for (let i = 0; i < this.chunks.length; i++) {
      const chunk = this.chunks[i];
      const length = this.#lengths[i];
      words[at++] = length;
      place += length >= 0 ? bytes.latin1Write(chunk, place) : bytes.ucs2Write(chunk, place);
    }
  }

  #close() {
    if (this.#open === '') return;
    this.chunks.push(this.#open);
    this.#open = '';
  }
}

// The only question about a string's characters that Node answers without looking at each in JavaScript.
function isAscii(text) {
  return Buffer.byteLength(text) === text.length;
}

module.exports = { TextWriter };
