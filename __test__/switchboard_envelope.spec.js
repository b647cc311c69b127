'use strict';

const { isDeepStrictEqual } = require('util');
const { EnvelopeReader, EnvelopeWriter, KIND } = require('../lib/worker/switchboard/envelope');
const { jsonValues } = require('./support/json_values');

const SEEDS = 300;
const writer = new EnvelopeWriter();
const reader = new EnvelopeReader();

function through(data, action = 'news') {
  writer.write(action, data, 0);
  const { kind, nameLength, length, number, bytes } = writer;
  reader.ensure(length);
  bytes.copy(reader.bytes, 0, 0, length);
  return { kind, name: reader.readName(nameLength), data: reader.readData({ kind, nameLength, length, number }) };
}

function asJson(data) {
  return JSON.parse(JSON.stringify({ data })).data;
}

describe('data on the switchboard', () => {
  test('is what JSON makes of it, whatever it is', () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { data } = through(jsonValues(seed)());
      const json = asJson(jsonValues(seed)());
      if (!isDeepStrictEqual(data, json) || JSON.stringify(data) !== JSON.stringify(json)) throw new Error(`seed ${seed} differs`);
    }
  });

  test.each([
    [undefined, KIND.NOTHING], [null, KIND.NULL], [true, KIND.BOOLEAN], [false, KIND.BOOLEAN], [7.5, KIND.NUMBER], [-0, KIND.NUMBER],
    [NaN, KIND.NULL], [Infinity, KIND.NULL], ['plain', KIND.LATIN1], ['', KIND.LATIN1], ['café', KIND.UTF16], ['\ud800', KIND.UTF16],
    [{ a: 1 }, KIND.CODEC], [[1, 2], KIND.CODEC], [new Date(0), KIND.CODEC], [Symbol('s'), KIND.NOTHING],
  ])('%p has a kind of its own', (data, kind) => {
    expect(through(data)).toEqual({ kind, name: 'news', data: asJson(data) });
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
    expect(through(deep)).toEqual({ kind: KIND.JSON, name: 'news', data: deep });
  });

  test('that JSON refuses is refused with its words', () => {
    const cyclic = {};
    cyclic.self = cyclic;
    expect(() => through(cyclic)).toThrow('circular');
    expect(() => through(1n)).toThrow('BigInt');
    expect(through('afterwards').data).toBe('afterwards');
  });

  test('keeps its name, of any length and alphabet', () => {
    for (const name of ['', 'a', 'eight888', 'größer', '動作', 'x'.repeat(100000)]) expect(through({ a: [1] }, name)).toMatchObject({ name, data: { a: [1] } });
  });

  test('is whole where it needs more room than there was', () => {
    const text = 'x'.repeat(300000);
    expect(through({ text, more: text }).data).toEqual({ text, more: text });
    expect(through(text).data).toBe(text);
  });
});
