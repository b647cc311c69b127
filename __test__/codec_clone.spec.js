'use strict';

const { inspect, types: { isNativeError } } = require('util');

const { CloneEncoder, decodeClone } = require('../lib/codec/clone');
const { isJsonSafe } = require('../lib/codec/json_safe');
const { Region } = require('../lib/codec/layout');
const { lendOrdinary, release } = require('../lib/codec/loans');
const { packMessage, unpackMessage } = require('../lib/messenger/packed');

function written(value) {
  const encoder = new CloneEncoder();
  encoder.encode(value);
  const region = new Region(new ArrayBuffer(8 + Math.ceil(encoder.size / 8) * 8));
  encoder.writeTo(region);
  return { region, size: encoder.size };
}

function through(value) {
  const { region, size } = written(value);
  return decodeClone(region, 0, size);
}

class Derived extends Uint8Array {}

describe('a clone', () => {
  test.each([
    [new Map([[1, new Set(['x'])]])], [new Date(5)], [2n ** 70n], [{ u: undefined, n: -0, nan: NaN, list: [undefined] }], [/x/g],
    [new Float64Array([1, -0])], [new BigUint64Array([2n ** 63n])], [new Uint8ClampedArray([1, 300])], [new ArrayBuffer(5)], [new Array(2)],
    [Buffer.from('hey')], [new Uint8Array(0)], [{ deep: [{ buffer: Buffer.alloc(100000, 7) }, new Int16Array([1, 2])] }], [undefined], [Object(5)],
  ])('of %p is what structuredClone gives', value => {
    const copy = through(value);
    expect(inspect(copy, { depth: 9 })).toBe(inspect(value, { depth: 9 }));
    const expected = Buffer.isBuffer(value) ? Buffer : structuredClone(value)?.constructor;
    expect(copy?.constructor?.name).toBe(expected?.name);
  });

  test('keeps cycles and references, to views as well', () => {
    const buffer = Buffer.from('x');
    const value = { buffer, again: buffer };
    value.self = value;
    const copy = through(value);
    expect(copy.self).toBe(copy);
    expect(copy.again).toBe(copy.buffer);
  });

  test('of an error keeps its name, message and stack', () => {
    const error = new RangeError('no');
    expect(through(error)).toMatchObject({ name: 'RangeError', message: 'no', stack: error.stack });
    expect(isNativeError(through(error))).toBe(true);
  });

  test('of a view has memory of its own, of just its size', () => {
    const large = new Uint8Array(1000).fill(1);
    const { region, size } = written([large.subarray(10, 20), new DataView(large.buffer, 4, 3)]);
    const [bytes, view] = decodeClone(region, 0, size);
    region.bytes.fill(9);
    expect([...bytes]).toEqual(new Array(10).fill(1));
    expect(bytes.buffer.byteLength).toBe(10);
    expect(view.byteLength).toBe(3);
  });

  test('of a class derived from a view is what it is derived from', () => {
    expect(through(new Derived([1, 2]))).toEqual(new Uint8Array([1, 2]));
  });

  test.each([[() => {}], [{ f() {} }], [Symbol('x')], [new WeakMap()], [new MessageChannel().port1], [Promise.resolve()]])('of %p is refused as structuredClone does', value => {
    expect(() => new CloneEncoder().encode(value)).toThrow(expect.objectContaining({ name: 'DataCloneError' }));
  });

  test('of a view whose memory was taken away is refused as structuredClone does, before or while it is written', () => {
    const take = view => structuredClone(view.buffer, { transfer: [view.buffer] }) && 1;
    for (const make of [() => new Uint8Array(9), () => lendOrdinary(9), () => lendOrdinary(9).subarray(3)]) {
      const [before, meanwhile] = [make(), make()];
      take(before);
      for (const value of [before, { before }, { meanwhile, get takes() { return take(meanwhile); } }]) {
        expect(() => new CloneEncoder().encode(value)).toThrow(expect.objectContaining({ name: 'DataCloneError' }));
      }
      expect(through([new Uint8Array(0), Buffer.alloc(0)])).toHaveLength(2);
    }
  });

  test('of any bytes is an error or some value, never more', () => {
    const { region, size } = written({ list: [1, 'x', Buffer.from('abc')], map: new Map([[1, new Float32Array(3)]]) });
    const original = Buffer.from(region.bytes);
    let seed = 1;
    const random = below => {
      seed = seed * 48271 % 2147483647;
      return seed % below;
    };
    for (let round = 0; round < 3000; round++) {
      original.copy(region.bytes);
      for (let change = 0; change <= round % 3; change++) region.bytes[random(size)] = random(256);
      try {
        decodeClone(region, 0, round % 5 === 0 ? random(size) : size);
      } catch (error) {
        expect(error.name).toBe('RangeError');
      }
    }
  });
});

describe('a Buffer that is lent, of ordinary memory', () => {
  const take = view => structuredClone(view.buffer, { transfer: [view.buffer] });

  test('is empty once it was sent or released, and is released once', () => {
    const [sent, released] = [lendOrdinary(9).fill(1), lendOrdinary(9)];
    expect(through({ sent }).sent).toEqual(Buffer.alloc(9, 1));
    expect([release(sent), sent.length]).toEqual([false, 0]);
    expect([release(released), released.length, release(released)]).toEqual([true, 0, false]);
    expect(() => through({ released })).toThrow(expect.objectContaining({ name: 'DataCloneError' }));
  });

  test('cannot be released while it is written, nor where somebody has taken its memory', () => {
    const [lent, taken] = [lendOrdinary(9), lendOrdinary(9)];
    expect(() => through({ lent, get releases() { return release(lent); } })).toThrow(expect.objectContaining({ name: 'DataCloneError' }));
    take(taken);
    expect(release(taken)).toBe(false);
  });
});

describe('what JSON keeps', () => {
  const cyclic = {};
  cyclic.self = cyclic;
  const shared = {};
  const many = Array.from({ length: 100 }, (_, id) => ({ id }));

  test.each([['x'], [5], [null], [true], [{}], [[]], [{ a: [1, 'x', { b: null }] }], [Object.create(null)], [many]])('%p is that', value => {
    expect(isJsonSafe(value)).toBe(true);
  });

  test.each([
    [undefined], [-0], [NaN], [1n], [() => {}], [new Date()], [new Map()], [Buffer.alloc(1)], [{ a: undefined }],
    [new Array(1)], [[undefined]],
    [{ toJSON() {} }],
    [Object.assign([1], { more: 1 })], [new (class A {})()], [Object('x')], [new Error('x')], [cyclic], [{ a: { b: [-0] } }], [[shared, shared]],
    [{ a: shared, b: { c: [shared] } }], [[...many, many[0]]], [new Array(5000).fill(0)],
  ])('%p is not', value => {
    expect(isJsonSafe(value)).toBe(false);
  });
});

describe('a packed message', () => {
  const data = { when: new Date(5), bytes: Buffer.from('hey'), nothing: undefined };

  test('is JSON, and becomes what it was', () => {
    const packed = packMessage({ action: 'a', data, to: 'app', receipt: 1 });
    const arrived = unpackMessage(JSON.parse(JSON.stringify(packed)));
    expect(arrived).toEqual({ action: 'a', data, to: 'app', receipt: 1 });
    expect(arrived.data).toHaveProperty('nothing');
  });

  test.each([
    [{ action: 'a', data: { plain: 1 } }], [{ action: 'a' }], ['text'], [null], [5], [{ data: new Date() }],
    [{ action: 'a', cmd: 'NODE_X', data: new Date() }], [{ action: 'a', data: new Date(), to: 'parent' }],
  ])('%p needs none', message => {
    expect(packMessage(message)).toBe(message);
  });

  test('is not confused by data that looks like it', () => {
    for (const odd of [{ 'egg-clutch:clone': 'AAAA' }, { 'egg-clutch:clone': 'x', more: 1 }, { 'egg-clutch:clone': 5 }]) {
      const sent = { action: 'a', data: odd };
      expect(unpackMessage(JSON.parse(JSON.stringify(packMessage(sent))))).toEqual(sent);
      expect(unpackMessage(sent)).toEqual(sent);
    }
  });
});
