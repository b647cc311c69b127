'use strict';

// Writes messages for the switchboard, and hands them to the native side.

const { CloneEncoder, OutgoingView } = require('../../codec/clone');
const { Encoder } = require('../../codec/encoder');
const { isJsonSafe } = require('../../codec/json_safe');
const { Attachments } = require('./attachments');
const { KIND, FLAG, VIEW, ENCODING, HEAD, Scratch } = require('./envelope');

// Memory that one large message needed is not kept for ever.
const KEPT_BYTES = 1024 * 1024;

const NOTHING = Buffer.alloc(0);

/** Writes one message at a time: write() calls what JSON calls in the data, and post() sends it. */
class EnvelopeWriter {
  #encoder = new Encoder();
  #clones = null;
  #scratch = new Scratch();
  #desk;
  #calls;
  #kind = 0;
  #encoding = 0;
  #number = 0;
  #text = null;
  #bytes = 0;
  // What is sent from where it lies, in the place of what is written here.
  #source = null;
  // Bytes that are sent by themselves.
  #view = null;
  #attachments;

  /**
   * @param {import('./envelope').Desk} desk
   * @param {Record<string, Function>} calls of the native endpoint
   * @param {boolean} [clones] whether data is written as structured clone, and not as JSON has it
   */
  constructor(desk, calls, clones = false) {
    this.#desk = desk;
    this.#calls = calls;
    this.#attachments = new Attachments(desk, calls);
    if (clones) this.#clones = new CloneEncoder();
  }

  /** The bytes of what write() has written. */
  get length() {
    if (this.#text === null) return this.#bytes;
    return this.#encoding === ENCODING.UTF16 ? this.#text.length * 2 : this.#text.length;
  }

  /**
   * @param {unknown} data
   * @param {string} key where it stands in the message, for its toJSON
   * @throws what JSON.stringify throws, or what structuredClone throws
   */
  write(data, key) {
    this.#number = 0;
    this.#encoding = 0;
    this.#text = null;
    this.#bytes = 0;
    this.#source = null;
    this.#view = null;
    if (this.#clones !== null && this.#writeClone(data)) return undefined;
    switch (typeof data) {
      case 'string':
        return this.#writeText(data);
      case 'number':
        return this.#writeNumber(data);
      case 'boolean':
        this.#number = data ? 1 : 0;
        this.#kind = KIND.BOOLEAN;
        return undefined;
      case 'undefined':
      case 'function':
      case 'symbol':
        return this.#writeNothing(data, key);
      default:
        if (data !== null) return this.#writeObject(data, key);
        this.#kind = KIND.NULL;
        return undefined;
    }
  }

  /**
   * Sends what was written.
   * @param {number} action its number
   * @param {number} flags
   * @param {number[]} places of the receivers
   * @returns {number} what the native side says became of it
   */
  post(action, flags, places) {
    const { head, number } = this.#desk;
    this.#attachments.begin();
    if (this.#kind === KIND.CLONE) this.#finishClone();
    else if (this.#view !== null) this.#finishBytes();
    this.#attachments.finish();
    head[HEAD.KIND] = this.#kind;
    head[HEAD.FLAGS] = flags;
    head[HEAD.ACTION] = action;
    head[HEAD.RECEIVERS] = places.length;
    head[HEAD.ENCODING] = this.#encoding;
    number[0] = this.#number;
    for (let i = 0; i < places.length; i++) head[HEAD.PLACES + i] = places[i];
    if (this.#text !== null) {
      const text = this.#text;
      this.#text = null;
      head[HEAD.CHARACTERS] = text.length;
      return this.#calls.sendText(text);
    }
    const source = this.#source;
    if (source === null) return this.#calls.sendBare();
    this.#source = null;
    return this.#calls.sendBytes(source, this.#bytes);
  }

  /** Gives memory back that was needed for large messages. */
  tidy() {
    this.#scratch.shrink(KEPT_BYTES);
  }

  /** @returns {boolean} false where the clone is what JSON makes of it */
  #writeClone(data) {
    if (typeof data === 'number') {
      // Any: the bits of a double travel.
      this.#number = data;
      this.#kind = KIND.NUMBER;
      return true;
    }
    if (data === undefined || isJsonSafe(data)) return false;
    if (isPlainBytes(data)) this.#writeBytes(data);
    else this.#writeByV8(data);
    return true;
  }

  #writeBytes(data) {
    const view = new OutgoingView(data);
    this.#kind = KIND.BYTES;
    this.#number = Buffer.isBuffer(data) ? VIEW.BUFFER : VIEW.UINT8_ARRAY;
    this.#bytes = view.length;
    if (view.loan || Attachments.isFor(view)) this.#view = view;
    else this.#source = view.bytes();
  }

  #finishBytes() {
    const view = this.#view;
    this.#view = null;
    const isAttached = this.#attachments.add(view) >= 0;
    view.loan?.send();
    this.#source = isAttached ? NOTHING : view.bytes();
    if (isAttached) this.#bytes = 0;
  }

  #writeByV8(data) {
    const clones = this.#clones;
    clones.encode(data);
    this.#kind = KIND.CLONE;
    this.#bytes = clones.size;
  }

  #finishClone() {
    const clones = this.#clones;
    clones.attach(view => this.#attachments.add(view));
    this.#bytes = clones.size;
    this.#scratch.ensure(this.#bytes);
    clones.writeTo(this.#scratch.region);
    this.#source = this.#scratch.region.bytes;
  }

  // What JSON leaves out, unless it has a toJSON.
  #writeNothing(data, key) {
    if (typeof data === 'function' && typeof data.toJSON === 'function') this.#writeObject(data, key);
    else this.#kind = KIND.NOTHING;
  }

  #writeNumber(data) {
    if (!Number.isFinite(data)) {
      this.#kind = KIND.NULL;
      return;
    }
    // JSON has no negative zero.
    this.#number = data + 0;
    this.#kind = KIND.NUMBER;
  }

  #writeText(text) {
    const isAscii = Buffer.byteLength(text) === text.length;
    this.#kind = isAscii ? KIND.LATIN1 : KIND.UTF16;
    this.#encoding = isAscii ? ENCODING.LATIN1 : ENCODING.UTF16;
    this.#text = text;
  }

  #writeObject(data, key) {
    const encoder = this.#encoder;
    if (!encoder.encode(data, key)) {
      this.#writeJson(data, key);
      return;
    }
    this.#kind = KIND.CODEC;
    this.#bytes = encoder.size;
    this.#scratch.ensure(this.#bytes);
    encoder.writeTo(this.#scratch.region, 0);
    this.#source = this.#scratch.region.bytes;
  }

  #writeJson(data, key) {
    // In an object, so that its toJSON hears where it stands; `{"data":` and `}` are taken off again.
    const whole = JSON.stringify({ [key]: data });
    if (whole === '{}') {
      this.#kind = KIND.NOTHING;
      return;
    }
    this.#writeText(whole.slice(JSON.stringify(key).length + 2, -1));
    // How it is spelt is told by the number.
    this.#number = this.#encoding;
    this.#kind = KIND.JSON;
  }
}

/** Bytes that nobody else may write to meanwhile. */
function isPlainBytes(data) {
  if (!(data instanceof Uint8Array) || data.buffer instanceof SharedArrayBuffer) return false;
  return Buffer.isBuffer(data) || Object.getPrototypeOf(data) === Uint8Array.prototype;
}

module.exports = { EnvelopeWriter, FLAG };
