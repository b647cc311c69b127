'use strict';

// Bytes in shared memory that JavaScript holds: Buffers that were lent to be filled and sent, and those that were received in place.
// Which is which is known by the ArrayBuffer, for the whole process.

const loans = new WeakMap();
const received = new WeakMap();

/** A Buffer that is the app's until it is sent. */
class Loan {
  #memory;
  #length;
  #native;
  #ranges = new WeakMap();
  #isSent = false;
  #isOver = false;
  // Nobody but its receivers can see it.
  #isEmptied = false;
  // What ordinary memory has become when it was taken away.
  #taken = null;

  /** The native side's number of it; null where it is ordinary memory. */
  number = null;

  /**
   * @param {ArrayBuffer} memory
   * @param {object} [native] where it is shared memory
   * @param {number} native.number
   * @param {(memory: ArrayBuffer) => boolean} native.detach answers false where the memory was taken away otherwise
   * @param {(number: number) => void} native.end
   * @param {(number: number, at: number, into: Uint8Array) => boolean} native.read
   */
  constructor(memory, native) {
    this.#memory = memory;
    this.#length = memory.byteLength;
    if (native) {
      this.#native = native;
      this.number = native.number;
    }
    loans.set(memory, this);
  }

  /**
   * Which part of it a view is. A view that was sent keeps its part until the turn is over, so that one Buffer can go to several.
   * @param {ArrayBufferView} view
   * @returns {{ offset: number, length: number }}
   * @throws {DOMException} where it was sent before
   */
  rangeOf(view) {
    if (!this.#isSent) {
      const range = { offset: view.byteOffset, length: view.byteLength };
      this.#ranges.set(view, range);
      return range;
    }
    const range = this.#isOver ? undefined : this.#ranges.get(view);
    if (range) return range;
    throw new DOMException('a Buffer of messenger.alloc() was sent already, and is its receiver\'s now', 'DataCloneError');
  }

  /** @returns {Buffer} the bytes of a part; a copy where they were sent */
  bytes({ offset, length }) {
    if (!this.#isSent) return Buffer.from(this.#memory, offset, length);
    if (this.#taken) return Buffer.from(this.#taken, offset, length);
    const bytes = Buffer.allocUnsafeSlow(length);
    // Never in the place of the bytes what happened to be in this memory before.
    if (!this.#native.read(this.number, offset, bytes)) throw new Error('a Buffer of messenger.alloc() cannot be read any more');
    return bytes;
  }

  /** It is the receivers' from now on: whatever looks at it here is empty. */
  send() {
    if (this.#isSent) return;
    this.#take();
    process.nextTick(() => this.#end());
  }

  /** Takes the memory away, of one that nobody is to get. */
  drop() {
    this.#take();
    this.#end();
  }

  /** Takes the memory away. */
  #take() {
    this.#isSent = true;
    if (this.#native) this.#isEmptied = this.#native.detach(this.#memory);
    else this.#taken = structuredClone(this.#memory, { transfer: [this.#memory] });
  }

  // Where the memory was taken away otherwise, it is over when the garbage collector has found whoever has it.
  #end() {
    this.#isOver = true;
    this.#taken = null;
    if (this.#isEmptied) this.#native.end(this.number);
  }

  /** Whether it can go with a message: nobody else has taken its memory away. */
  get isHere() {
    if (this.#isSent) return !this.#isOver && (this.#isEmptied || this.#taken !== null);
    return this.#memory.byteLength === this.#length;
  }

  get isSent() {
    return this.#isSent;
  }
}

/** @returns {Loan | undefined} the loan that a view is a part of */
function loanOf(view) {
  return loans.get(view.buffer);
}

/** @param {ArrayBuffer} memory in which something was received, and how it is taken away, which answers whether it was still there */
function noteReceived(memory, detach) {
  received.set(memory, detach);
}

/**
 * Gives memory back before the garbage collector does.
 * @param {ArrayBufferView} view of anything
 * @returns {boolean} false where it is neither lent nor received in place
 */
function release(view) {
  const loan = loanOf(view);
  if (loan) {
    if (loan.isSent || !loan.isHere) return false;
    loan.drop();
    return true;
  }
  const detach = received.get(view.buffer);
  if (!detach) return false;
  received.delete(view.buffer);
  return detach(view.buffer);
}

/** Ordinary memory that behaves as if it were lent. */
function lendOrdinary(bytes) {
  const buffer = Buffer.allocUnsafeSlow(bytes);
  new Loan(buffer.buffer);
  return buffer;
}

module.exports = { Loan, lendOrdinary, loanOf, noteReceived, release };
