'use strict';

// What a peer says of a message, and what lies where it says so, may be anything within the memory that the native side has checked:
// the reader answers with a value or an error, and reads the next message as if nothing had been.

const { isDeepStrictEqual } = require('util');
const { CloneEncoder } = require('../lib/codec/clone');
const { Encoder } = require('../lib/codec/encoder');
const { Region } = require('../lib/codec/layout');
const { Desk, KIND, ROW, ROW_VALUES } = require('../lib/worker/switchboard/envelope');
const { EnvelopeReader } = require('../lib/worker/switchboard/envelope_reader');
const { jsonValues, random } = require('./support/json_values');

const SEEDS = Number(process.env.CLUSTER_HOSTILE_SEEDS ?? 300);
const KINDS = [...Object.values(KIND), 7];
const NUMBERS = [0, 1, 2, 3, -1, 0.5, NaN, Infinity, -Infinity, 2 ** 32, 2 ** 53, Number.MIN_VALUE];
const WORD_BYTES = 8;

/** The native side, with one message in place. */
class Peer {
  memory = Buffer.alloc(0);
  /** What is attached to the message; null where that cannot be read. */
  parts = null;
  passed = 0;

  pass() {
    this.passed += 1;
  }

  takeText(encoding) {
    this.pass();
    return this.memory.toString(encoding === 1 ? 'latin1' : 'ucs2');
  }

  takeBytes(into) {
    this.pass();
    this.memory.copy(into);
    return true;
  }

  takeParts(into) {
    this.pass();
    this.memory.copy(into);
    return this.parts;
  }

  detach() {}
}

function encoded(value) {
  const encoder = new Encoder();
  encoder.encode(value);
  const region = new Region(new ArrayBuffer(Math.ceil(encoder.size / WORD_BYTES) * WORD_BYTES));
  encoder.writeTo(region, 0);
  return region.bytes.subarray(0, encoder.size);
}

/** A value with views, all of which are attached. */
function attached(value) {
  const encoder = new CloneEncoder();
  encoder.encode(value);
  let parts = 0;
  encoder.attach(() => parts++);
  const region = new Region(new ArrayBuffer(Math.ceil(encoder.size / WORD_BYTES) * WORD_BYTES));
  encoder.writeTo(region);
  return { payload: region.bytes.subarray(0, encoder.size), parts };
}

const VIEWS = [Buffer, Uint8Array, Float64Array, BigInt64Array, DataView];

function views(next) {
  return Array.from({ length: next(5) }, () => {
    const memory = new ArrayBuffer(next(9) * WORD_BYTES);
    const View = VIEWS[next(VIEWS.length)];
    return View === Buffer ? Buffer.from(memory) : new View(memory);
  });
}

function spoilt(bytes, next) {
  const copy = Buffer.from(bytes);
  for (let times = next(6); times > 0 && copy.length > 0; times--) copy[next(copy.length)] = next(256);
  return next(4) ? copy : copy.subarray(0, next(copy.length + 1));
}

describe('a message of a peer that writes what it likes', () => {
  const desk = new Desk();
  const peer = new Peer();
  const reader = new EnvelopeReader(desk, peer);

  function put(payload, { kind, number, isInPlace, start, count = 0 }) {
    desk.intake.bytes.set(isInPlace ? [] : payload, start);
    peer.memory = isInPlace ? payload : Buffer.alloc(0);
    const row = desk.rows.subarray(0, ROW_VALUES);
    row[ROW.KIND] = kind;
    row[ROW.NUMBER] = number;
    row[ROW.START] = isInPlace ? -1 - start : start;
    row[ROW.LENGTH] = payload.length;
    row[ROW.ATTACHED] = count;
  }

  test('is a value or an error, and passes once what was in place', () => {
    let values = 0;
    let errors = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const next = random(seed);
      const value = { value: jsonValues(seed, { specials: false })() };
      const text = Buffer.from(JSON.stringify(value));
      const payload = spoilt(next(3) ? encoded(value) : text, next).subarray(0, 32 * 1024);
      const isInPlace = next(3) === 0;
      put(payload, { kind: KINDS[next(KINDS.length)], number: NUMBERS[next(NUMBERS.length)], isInPlace, start: next(8) * WORD_BYTES });
      peer.passed = 0;
      try {
        reader.data(0);
        values += 1;
      } catch (error) {
        if (!/MalformedValue|SyntaxError|RangeError/.test(error.name)) throw new Error(`seed ${seed}`, { cause: error });
        errors += 1;
      }
      if (peer.passed !== Number(isInPlace)) throw new Error(`seed ${seed}: passed ${peer.passed} times`);
      put(encoded({ after: seed }), { kind: KIND.CODEC, number: 0, isInPlace: false, start: 0 });
      if (!isDeepStrictEqual(reader.data(0), { after: seed })) throw new Error(`seed ${seed} has spoilt what came after it`);
    }
    expect(values).toBeGreaterThan(SEEDS / 10);
    expect(errors).toBeGreaterThan(SEEDS / 10);
  });

  test('with parts attached, as many and as long as it likes, is a value over these or an error', () => {
    let values = 0;
    let errors = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const next = random(seed);
      const { payload, parts } = attached({ list: views(next), text: 'x'.repeat(next(40)) });
      const count = next(3) ? parts : next(17);
      peer.parts = next(9) ? Array.from({ length: count }, () => new ArrayBuffer(next(70))) : null;
      const kind = next(4) ? KIND.CLONE : KIND.BYTES;
      const told = { kind, number: next(3), isInPlace: true, start: 0, count: Math.max(1, count) };
      put(next(2) ? payload : spoilt(payload, next), told);
      peer.passed = 0;
      try {
        const value = reader.data(0);
        const held = Array.isArray(value?.list) ? value.list.filter(ArrayBuffer.isView) : [];
        // Over a part, or a copy of what lay in the message itself.
        if (!held.every(({ buffer }) => peer.parts.includes(buffer) || buffer.byteLength <= payload.length)) {
          throw new Error(`seed ${seed}: a view of what is not its own`);
        }
        values += 1;
      } catch (error) {
        if (!/RangeError|TypeError|SyntaxError|cannot be read any more/.test(`${error.name} ${error.message}`)) throw new Error(`seed ${seed}`, { cause: error });
        errors += 1;
      }
      if (peer.passed !== 1) throw new Error(`seed ${seed}: passed ${peer.passed} times`);
      put(encoded({ after: seed }), { kind: KIND.CODEC, number: 0, isInPlace: false, start: 0 });
      if (!isDeepStrictEqual(reader.data(0), { after: seed })) throw new Error(`seed ${seed} has spoilt what came after it`);
    }
    expect(values).toBeGreaterThan(SEEDS / 10);
    expect(errors).toBeGreaterThan(SEEDS / 10);
  });
});
