'use strict';

// What a message is on the switchboard: its kind, and how one is told to the native side and by it. What arrives is what would have
// arrived by Node's channel: as JSON, or as a structured clone where the cluster is told so.

const { Region } = require('../../codec/layout');

/** The numbers of the native side's `Kind`. */
const KIND = Object.freeze({ NOTHING: 1, NULL: 2, BOOLEAN: 3, NUMBER: 4, LATIN1: 5, UTF16: 6, BYTES: 7, JSON: 8, CODEC: 9, CLONE: 10 });
const FLAG = Object.freeze({
  /** The receiver was named by its pid. */
  BY_PID: 1,
  /** The same, by egg 4's newer name. */
  BY_WORKER_ID: 4,
  /** The payload is the whole message, which has members of its own. */
  WHOLE: 2,
  /** When it was sent is sent along; what is received has as its number for how many milliseconds it was on its way. */
  STAMPED: 8,
});
/** What the native side answers to a message: all have it, it waits, it is refused, it never fits. */
const SENT = Object.freeze({ ALL: 0, WAITS: 1, REFUSED: -1, TOO_BIG: -2 });
/** How it is when everything has been taken: there is news, or whatever comes calls, or memory for a message may never come. */
const REST = Object.freeze({ NEWS: 0, QUIET: 1, KEPT_WAITING: 2 });
/** What bytes arrive as; the number of such a message. */
const VIEW = Object.freeze({ BUFFER: 0, UINT8_ARRAY: 1 });
/** How the characters of a text lie in memory. */
const ENCODING = Object.freeze({ LATIN1: 1, UTF16: 2 });

/** Where what stands in the head of the next message to be sent, in words of 32 bits. */
const MAX_RECEIVERS = 256;
const HEAD = Object.freeze({
  KIND: 0, FLAGS: 1, ACTION: 2, RECEIVERS: 3, NUMBER: 4, ENCODING: 6, CHARACTERS: 7, PLACES: 8,
  /** How many parts are attached; behind it, at an even word, what they are. */
  ATTACHED: 8 + MAX_RECEIVERS,
});
const ATTACHED_START = (HEAD.ATTACHED + 2) * Int32Array.BYTES_PER_ELEMENT;
/** Of each attached part: the loan, or what was staged; where it begins; its length. */
const ATTACHED_VALUES = 3;
const MAX_ATTACHED = 16;

/** Where what stands in a row about a message that came in, in doubles. */
const ROW = Object.freeze({ PLACE: 0, KIND: 1, FLAGS: 2, ACTION: 3, SPELT: 4, START: 5, LENGTH: 6, NUMBER: 7, ATTACHED: 8 });
const ROW_VALUES = 9;
/** So many messages are taken in one turn at most, so that sockets and timers get theirs. */
const MAX_ROWS = 64;
const INTAKE_BYTES = 64 * 1024;

const WORD_BYTES = 8;
const FIRST_BYTES = 64 * 1024;

/** The memory by which this process and the native side tell each other of messages. */
class Desk {
  constructor() {
    const attachedBytes = MAX_ATTACHED * ATTACHED_VALUES * Float64Array.BYTES_PER_ELEMENT;
    const head = new ArrayBuffer(ATTACHED_START + attachedBytes);
    this.head = new Int32Array(head);
    this.attached = new Float64Array(head, ATTACHED_START, MAX_ATTACHED * ATTACHED_VALUES);
    this.headBytes = Buffer.from(head);
    this.number = new Float64Array(head, HEAD.NUMBER * Int32Array.BYTES_PER_ELEMENT, 1);
    this.rows = new Float64Array(MAX_ROWS * ROW_VALUES);
    this.rowBytes = Buffer.from(this.rows.buffer);
    this.intake = new Region(new ArrayBuffer(INTAKE_BYTES));
  }
}

/** Memory of this process, which grows when it must. */
class Scratch {
  region = new Region(new ArrayBuffer(FIRST_BYTES));

  ensure(bytes) {
    if (bytes <= this.region.bytes.length) return;
    this.region = new Region(new ArrayBuffer(Math.ceil(2 ** Math.ceil(Math.log2(bytes)) / WORD_BYTES) * WORD_BYTES));
  }

  /** Lets go of much memory. */
  shrink(keep) {
    if (this.region.bytes.length > keep) this.region = new Region(new ArrayBuffer(FIRST_BYTES));
  }
}

module.exports = {
  REST, SENT, KIND, FLAG, VIEW, ENCODING, HEAD, MAX_RECEIVERS, MAX_ATTACHED, ATTACHED_VALUES, ROW, ROW_VALUES, Desk, Scratch,
};
