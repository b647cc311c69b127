'use strict';

const { isDeepStrictEqual } = require('util');
const v8 = require('v8');
const { Desk, HEAD, KIND, ROW } = require('../lib/worker/switchboard/envelope');
const { EnvelopeReader } = require('../lib/worker/switchboard/envelope_reader');
const { EnvelopeWriter } = require('../lib/worker/switchboard/envelope_writer');
const { areAlike, cloneValue } = require('./support/clone_values');
const { jsonValues, FIRST_SEED, SEEDS } = require('./support/json_values');
const { LoopbackEndpoint } = require('./support/loopback_endpoint');

function ends({ clones = false, ...options } = {}) {
  const desk = new Desk();
  const endpoint = new LoopbackEndpoint(desk, options);
  const reader = new EnvelopeReader(desk, endpoint, number => endpoint.action(number));
  return { desk, endpoint, writer: new EnvelopeWriter(desk, endpoint, clones), reader };
}

const copying = ends();
const inPlace = ends({ copiedBytes: -1 });

function through(data, { desk, endpoint, writer, reader } = copying) {
  writer.write(data, 'data');
  writer.post(endpoint.numberOf('news'), 0, [3]);
  expect(reader.receive()).toBe(1);
  const kind = desk.rows[ROW.KIND];
  const found = { kind, place: reader.place(0), action: reader.action(0), data: reader.data(0) };
  expect(endpoint.isWaiting).toBe(false);
  return found;
}

function asJson(data) {
  return JSON.parse(JSON.stringify({ data })).data;
}

describe('data on the switchboard', () => {
  test(`is what JSON makes of it, whatever it is (CODEC_SEED=${FIRST_SEED})`, () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      for (const both of seed % 10 ? [copying] : [copying, inPlace]) {
        const { data } = through(jsonValues(seed)(), both);
        const json = asJson(jsonValues(seed)());
        if (!isDeepStrictEqual(data, json) || JSON.stringify(data) !== JSON.stringify(json)) throw new Error(`seed ${seed} differs`);
      }
    }
  });

  test.each([
    [undefined, KIND.NOTHING], [null, KIND.NULL], [true, KIND.BOOLEAN], [false, KIND.BOOLEAN], [7.5, KIND.NUMBER], [-0, KIND.NUMBER],
    [NaN, KIND.NULL], [Infinity, KIND.NULL], ['plain', KIND.LATIN1], ['', KIND.LATIN1], ['café', KIND.UTF16], ['\ud800', KIND.UTF16],
    [{ a: 1 }, KIND.CODEC], [[1, 2], KIND.CODEC], [new Date(0), KIND.CODEC], [Symbol('s'), KIND.NOTHING],
  ])('%p has a kind of its own', (data, kind) => {
    for (const both of [copying, inPlace]) expect(through(data, both)).toEqual({ kind, place: 3, action: 'news', data: asJson(data) });
  });

  test('has its toJSON called once, and as JSON would', () => {
    const keys = [];
    const data = { toJSON: key => keys.push(key) && 'told' };
    expect(through(data).data).toBe('told');
    expect(keys).toEqual(['data']);
  });

  test('is JSON text where it is nested too deeply for anything else', () => {
    let deep = 'bottom';
    for (let i = 0; i < 1000; i++) deep = [deep];
    expect(through(deep)).toMatchObject({ kind: KIND.JSON, data: deep });
    expect(through(deep, inPlace)).toMatchObject({ kind: KIND.JSON, data: deep });
  });

  test('has its toJSON called as JSON would where JSON text is all that it can be', () => {
    const nested = inner => Array.from({ length: 1000 }).reduce(deep => [deep], inner);
    expect(through({ toJSON: key => nested(key) })).toMatchObject({ kind: KIND.JSON, data: nested('data') });
    const answers = [nested(1)];
    const once = { toJSON: () => answers.pop() };
    expect(through(once)).toEqual({ kind: KIND.NOTHING, place: 3, action: 'news', data: undefined });
  });

  test('that JSON refuses is refused with its words', () => {
    const cyclic = {};
    cyclic.self = cyclic;
    expect(() => through(cyclic)).toThrow('circular');
    expect(() => through(1n)).toThrow('BigInt');
    expect(through('afterwards').data).toBe('afterwards');
  });

  test('may be left unread, wherever it is', () => {
    for (const { endpoint, writer, reader } of [copying, inPlace]) {
      for (const data of ['text', { a: 1 }, 7]) {
        writer.write(data, 'data');
        writer.post(endpoint.numberOf('news'), 0, [3]);
        expect(reader.receive()).toBe(1);
        reader.skip(0);
        expect(endpoint.isWaiting).toBe(false);
      }
    }
  });

  test('comes in rows, each with its own', () => {
    const { endpoint, writer, reader } = copying;
    const sent = [1, 'two', { three: [3] }, null, 'ünf'];
    sent.forEach((data, place) => {
      writer.write(data, 'data');
      writer.post(endpoint.numberOf(`news-${place}`), place, [place]);
    });
    expect(reader.receive()).toBe(sent.length);
    sent.forEach((data, place) => {
      expect([reader.place(place), reader.flags(place), reader.action(place)]).toEqual([place, place, `news-${place}`]);
      expect(reader.data(place)).toEqual(data);
    });
  });

  test('is whole where it needs more room than there was', () => {
    const text = 'x'.repeat(300000);
    expect(through({ text, more: text }).data).toEqual({ text, more: text });
    expect(through(text).data).toBe(text);
  });
});

describe('data that is cloned', () => {
  const cloning = ends({ clones: true });
  // structuredClone() knows no Buffer.
  const expected = value => v8.deserialize(v8.serialize(value));

  test(`is what V8 makes of it, whatever it is (CODEC_SEED=${FIRST_SEED})`, () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const value = cloneValue(seed);
      const { data } = through(value, cloning);
      if (!areAlike(data, expected(value))) throw new Error(`seed ${seed} differs`);
    }
  });
});

describe('what is attached', () => {
  const LONG = 100000;

  /** What each message that was posted had attached. */
  function posting(values, { beforePost = () => {} } = {}) {
    const desk = new Desk();
    const posted = [];
    const note = () => posted.push(desk.head[HEAD.ATTACHED]);
    const calls = { stage: () => 0, sendBytes: note, sendText: note, sendBare: note };
    const writer = new EnvelopeWriter(desk, calls, true);
    for (const value of values) {
      try {
        writer.write(value, 'data');
        if (value.taken) beforePost();
        writer.post(0, 0, [3]);
      } catch (error) {
        posted.push(error.name);
      }
    }
    return posted;
  }

  /** A view whose memory somebody else has taken. */
  function emptied() {
    const view = new Uint8Array(8);
    structuredClone(view.buffer, { transfer: [view.buffer] });
    return view;
  }

  test('goes with its own message only, also where that cannot be written', () => {
    const long = Buffer.alloc(LONG);
    expect(posting([{ long, gone: emptied() }, 'next', { long }, 'last'])).toEqual(['DataCloneError', 0, 1, 0]);
  });

  test('is refused where its memory is taken while the message is written', () => {
    const [kept, taken] = [Buffer.alloc(LONG), new Uint8Array(LONG)];
    const value = { kept, taken, get takes() { return structuredClone(taken.buffer, { transfer: [taken.buffer] }) && 1; } };
    expect(posting([value, 'next'])).toEqual(['DataCloneError', 0]);
  });

  test('is refused where its memory is taken between writing and sending, and is not part of the next', () => {
    const [kept, taken] = [Buffer.alloc(LONG), new Uint8Array(LONG)];
    const take = () => structuredClone(taken.buffer, { transfer: [taken.buffer] });
    expect(posting([{ kept, taken }, 'next'], { beforePost: take })).toEqual([expect.stringMatching(/Error$/), 0]);
  });
});
