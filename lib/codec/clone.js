'use strict';

// Structured clone with the bytes out of line: V8 writes what is not bytes, and typed arrays, Buffers and DataViews lie behind that as
// they are, so they are copied and never encoded.
//
//   header   4 words: bytes of V8's part, number of views, nothing, nothing
//   table    2 words for each view: what it is, and how many bytes it has; or, of one that is attached to the message, which part it is
//   V8       what v8.Serializer wrote, with the number of a view in the place of each
//   bytes    of each view, each beginning at a multiple of 8

const v8 = require('v8');
const { BYTES_PER_WORD } = require('./layout');
const { loanOf } = require('./loans');

const HEADER_WORDS = 4;
const ENTRY_WORDS = 2;
const ALIGNMENT = 8;
/** Beside what a view is: its bytes are not here. */
const ATTACHED = 1 << 8;

// The place in this list is what the table says; BigInt arrays and Float16Array where this Node has them.
const VIEWS = [
  Buffer, Uint8Array, Int8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array,
  BigInt64Array, BigUint64Array, DataView, globalThis.Float16Array,
].map(View => View ?? class Missing {});

function align(bytes) {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** Of an empty one that cannot be told otherwise before Node 21. */
function isDetached(memory) {
  if (memory.byteLength > 0) return false;
  if ('detached' in memory) return memory.detached;
  try {
    new Uint8Array(memory);
    return false;
  } catch {
    return true;
  }
}

function kindOf(view) {
  if (Buffer.isBuffer(view)) return 0;
  const kind = VIEWS.findIndex((View, index) => index > 0 && Object.getPrototypeOf(view) === View.prototype);
  if (kind > 0) return kind;
  // A class derived from one of them arrives as what it is derived from.
  const base = VIEWS.findIndex((View, index) => index > 0 && view instanceof View);
  if (base > 0) return base;
  throw new TypeError('a view of an unknown kind cannot be cloned');
}

/** A view on its way out. */
class OutgoingView {
  #view;
  /** The number of the part of the message that it is; -1 where it is written with the rest. */
  part = -1;

  constructor(view) {
    this.#view = view;
    this.kind = kindOf(view);
    this.loan = loanOf(view);
    this.range = this.loan?.rangeOf(view);
    this.length = this.range ? this.range.length : view.byteLength;
    this.mustBeHere();
  }

  /** Whether its bytes can be had, as nobody has taken them away. */
  get isHere() {
    return this.loan ? this.loan.isHere : this.#view.byteLength === this.length && !isDetached(this.#view.buffer);
  }

  /** @throws {DOMException} as structuredClone() says it */
  mustBeHere() {
    if (!this.isHere) throw new DOMException('An ArrayBuffer is detached and could not be cloned.', 'DataCloneError');
  }

  bytes() {
    return this.loan ? this.loan.bytes(this.range) : Buffer.from(this.#view.buffer, this.#view.byteOffset, this.length);
  }
}

class CloneSerializer extends v8.Serializer {
  views = [];

  constructor() {
    super();
    // As v8.DefaultSerializer does: otherwise V8 writes the bytes among the rest.
    this._setTreatArrayBufferViewsAsHostObjects(true);
  }

  _writeHostObject(view) {
    if (!ArrayBuffer.isView(view)) throw this._getDataCloneError(`${Object.prototype.toString.call(view)} could not be cloned.`);
    this.writeUint32(this.views.push(new OutgoingView(view)) - 1);
  }
}
// V8 calls it, too. As structuredClone() says it.
CloneSerializer.prototype._getDataCloneError = message => new DOMException(message, 'DataCloneError');

class CloneDeserializer extends v8.Deserializer {
  #views;

  constructor(bytes, views) {
    super(bytes);
    this.#views = views;
  }

  _readHostObject() {
    const view = this.#views[this.readUint32()];
    if (view === undefined) throw new RangeError('a view that is not there');
    return view;
  }
}

/** Writes a value: encode() takes it down, attach() what may go by itself, and writeTo() puts it where it goes. */
class CloneEncoder {
  #head = null;
  #views = [];

  /** The bytes that writeTo() will write. */
  size = 0;

  /** @throws {DOMException | Error} where the value has no clone, such as a function */
  encode(value) {
    const serializer = new CloneSerializer();
    serializer.writeHeader();
    serializer.writeValue(value);
    this.#head = serializer.releaseBuffer();
    this.#views = serializer.views;
    // A getter may have had them taken away.
    for (const view of this.#views) view.mustBeHere();
    this.size = align((HEADER_WORDS + this.#views.length * ENTRY_WORDS) * BYTES_PER_WORD) + align(this.#head.length);
    for (const { length } of this.#views) this.size += align(length);
  }

  /** @param {(view: OutgoingView) => number} attach the number of the part that it is from now on, or -1 */
  attach(attach) {
    for (const view of this.#views) {
      view.part = attach(view);
      if (view.part >= 0) this.size -= align(view.length);
    }
  }

  /** @param {import('./layout').Region} region with `size` bytes */
  writeTo({ words, bytes: memory }) {
    let at = 0;
    for (const word of [this.#head.length, this.#views.length, 0, 0]) words[at++] = word;
    for (const { kind, length, part } of this.#views) {
      words[at++] = part < 0 ? kind : kind | ATTACHED;
      words[at++] = part < 0 ? length : part;
    }
    let place = align(at * BYTES_PER_WORD);
    const inline = this.#views.filter(view => view.part < 0);
    for (const bytes of [this.#head, ...inline.map(view => view.bytes())]) {
      memory.set(bytes, place);
      place += align(bytes.length);
    }
    for (const { loan } of this.#views) loan?.send();
    this.#head = null;
    this.#views = [];
  }
}

/**
 * Reads what CloneEncoder wrote; the views get memory of their own, or are the parts that were attached.
 * @param {import('./layout').Region} region
 * @param {number} offset in bytes, a multiple of 8
 * @param {number} size in bytes
 * @param {ArrayBuffer[]} [parts] what was attached
 * @throws {RangeError} where that is nothing that CloneEncoder wrote
 */
function decodeClone({ words, bytes: memory }, offset, size, parts = []) {
  const at = offset / BYTES_PER_WORD;
  const [headBytes, count] = [words[at], words[at + 1]];
  const end = offset + size;
  let place = offset + align((HEADER_WORDS + count * ENTRY_WORDS) * BYTES_PER_WORD);
  if (!(size >= HEADER_WORDS * BYTES_PER_WORD && headBytes >= 0 && count >= 0 && place <= end)) throw new RangeError('a clone is malformed');
  const take = length => {
    if (length < 0 || place + length > end) throw new RangeError('a clone is malformed');
    const taken = memory.subarray(place, place + length);
    place += align(length);
    return taken;
  };
  const head = take(headBytes);
  const views = [];
  for (let entry = at + HEADER_WORDS; views.length < count; entry += ENTRY_WORDS) {
    const [kind, value] = [words[entry], words[entry + 1]];
    views.push(kind & ATTACHED ? viewOver(kind & ~ATTACHED, parts[value]) : viewOf(kind, take(value)));
  }
  const deserializer = new CloneDeserializer(head, views);
  try {
    deserializer.readHeader();
    return deserializer.readValue();
  } catch (cause) {
    throw new RangeError(`a clone is malformed: ${cause.message}`, { cause });
  }
}

function viewOf(kind, bytes) {
  // Not from the pool: nobody else's bytes belong to this memory.
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return viewOver(kind, own.buffer);
}

function viewOver(kind, memory) {
  if (memory === undefined) throw new RangeError('a view that is not there');
  if (kind === 0) return Buffer.from(memory);
  const View = VIEWS[kind];
  if (View === undefined) throw new RangeError('a view of an unknown kind');
  return new View(memory);
}

module.exports = { CloneEncoder, OutgoingView, decodeClone };
