'use strict';

// What a peer says of a message, and what lies where it says so, may be anything within the memory that the native side has checked:
// the reader answers with a value or an error, and reads the next message as if nothing had been.

const { isDeepStrictEqual } = require('util');
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
}

function encoded(value) {
  const encoder = new Encoder();
  encoder.encode(value);
  const region = new Region(new ArrayBuffer(Math.ceil(encoder.size / WORD_BYTES) * WORD_BYTES));
  encoder.writeTo(region, 0);
  return region.bytes.subarray(0, encoder.size);
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

  function put(payload, { kind, number, isInPlace, start }) {
    desk.intake.bytes.set(isInPlace ? [] : payload, start);
    peer.memory = isInPlace ? payload : Buffer.alloc(0);
    const row = desk.rows.subarray(0, ROW_VALUES);
    row[ROW.KIND] = kind;
    row[ROW.NUMBER] = number;
    row[ROW.START] = isInPlace ? -1 - start : start;
    row[ROW.LENGTH] = payload.length;
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
});
