'use strict';

// The native endpoint as lib/worker/switchboard sees it, in one process: what is sent is what is received. Small messages are copied
// into the intake, large ones stay in place, as the native side has it.

const { ENCODING, HEAD, ROW, ROW_VALUES } = require('../../lib/worker/switchboard/envelope');

const WORD_BYTES = 8;

class LoopbackEndpoint {
  #desk;
  #queue = [];
  #names = [];
  #inPlace = null;
  #marked = 0;

  /** @param {{ copiedBytes?: number }} [options] what is longer stays in place */
  constructor(desk, { copiedBytes = 16 * 1024 } = {}) {
    this.#desk = desk;
    this.copiedBytes = copiedBytes;
  }

  numberOf(action) {
    const known = this.#names.indexOf(action);
    return known >= 0 ? known : this.#names.push(action) - 1;
  }

  action(number) {
    return this.#names[number];
  }

  /** There is no room for attachments. */
  stage() {
    return -1;
  }

  sendText(text) {
    const isWide = this.#desk.head[HEAD.ENCODING] === ENCODING.UTF16;
    return this.#send(Buffer.from(text, isWide ? 'utf16le' : 'latin1'));
  }

  sendBytes(bytes, length) {
    return this.#send(Buffer.from(bytes.subarray(0, length)));
  }

  sendBare() {
    return this.#send(Buffer.alloc(0));
  }

  #send(payload) {
    const { head, number } = this.#desk;
    for (let i = 0; i < head[HEAD.RECEIVERS]; i++) {
      const place = head[HEAD.PLACES + i];
      this.#queue.push({ place, kind: head[HEAD.KIND], flags: head[HEAD.FLAGS], action: head[HEAD.ACTION], number: number[0], payload });
    }
    return 0;
  }

  receive() {
    const { rows, intake } = this.#desk;
    let used = 0;
    let count = 0;
    while (!this.#inPlace && this.#queue.length && (count + 1) * ROW_VALUES <= rows.length) {
      const { payload, ...message } = this.#queue[0];
      const isCopied = payload.length <= this.copiedBytes;
      if (isCopied && used + payload.length > intake.bytes.length) break;
      this.#queue.shift();
      this.#marked -= 1;
      const row = count * ROW_VALUES;
      rows[row + ROW.PLACE] = message.place;
      rows[row + ROW.KIND] = message.kind;
      rows[row + ROW.FLAGS] = message.flags;
      rows[row + ROW.ACTION] = message.action;
      rows[row + ROW.SPELT] = 0;
      rows[row + ROW.START] = isCopied ? used : -1 - used;
      rows[row + ROW.LENGTH] = payload.length;
      rows[row + ROW.NUMBER] = message.number;
      count += 1;
      if (isCopied) {
        payload.copy(intake.bytes, used);
        used += Math.ceil(payload.length / WORD_BYTES) * WORD_BYTES;
      } else {
        this.#inPlace = payload;
      }
    }
    return count;
  }

  mark() {
    this.#marked = this.#queue.length;
  }

  isBehind() {
    return this.#marked > 0;
  }

  takeText(encoding) {
    return this.#take()?.toString(encoding === ENCODING.UTF16 ? 'utf16le' : 'latin1') ?? null;
  }

  takeBytes(into) {
    return Boolean(this.#take()?.copy(into));
  }

  pass() {
    this.#take();
  }

  /** Whether a message is told to be in place and has not been taken. */
  get isWaiting() {
    return this.#inPlace !== null;
  }

  #take() {
    const payload = this.#inPlace;
    this.#inPlace = null;
    return payload;
  }
}

module.exports = { LoopbackEndpoint };
