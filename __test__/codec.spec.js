'use strict';

const { isDeepStrictEqual } = require('util');
const { Decoder, MalformedValue } = require('../lib/codec/decoder');
const { Encoder } = require('../lib/codec/encoder');
const { Region } = require('../lib/codec/layout');
const { MAX_SHAPES } = require('../lib/codec/shapes');
const { jsonValues, random, FIRST_SEED, SEEDS, SPECIALS } = require('./support/json_values');

const OFFSET = 64;
const region = new Region(new ArrayBuffer(16 << 20));
const encoder = new Encoder();
const decoder = new Decoder();

function throughTheCodec(value) {
  if (!encoder.encode(value)) return { form: 'none' };
  encoder.writeTo(region, OFFSET);
  return { form: 'encoded', value: decoder.decode(region, OFFSET, encoder.size) };
}

function throughJson(value) {
  return JSON.parse(JSON.stringify(value));
}

/** What a function does: its result, or what it throws. */
function outcomeOf(act) {
  try {
    return { result: act() };
  } catch (error) {
    return { thrown: `${error.name}: ${error.message}` };
  }
}

// The order of keys counts too; JSON's text shows it, and an own `__proto__`.
function same(a, b) {
  return isDeepStrictEqual(a, b) && JSON.stringify(a) === JSON.stringify(b);
}

describe('a value that went through the codec', () => {
  test(`is what JSON makes of it, whatever it is (CODEC_SEED=${FIRST_SEED})`, () => {
    let encoded = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      // Made twice: what JSON.stringify calls may only be called once on each.
      const holder = { value: jsonValues(seed)() };
      const other = { value: jsonValues(seed)() };
      const ours = outcomeOf(() => throughTheCodec(holder));
      const json = outcomeOf(() => throughJson(other));
      if (ours.result?.form === 'none') continue;
      encoded += 1;
      if (!same(ours.result?.value ?? ours.thrown, json.result ?? json.thrown)) throw new Error(`seed ${seed} differs`);
    }
    expect(encoded).toBeGreaterThan(SEEDS * 0.99);
  });

  test.each(SPECIALS.map(special => [String(special), special]))('is what JSON makes of %s', (_name, special) => {
    for (const place of [value => ({ key: value }), value => [value], value => ({ key: [{ deep: value }, 1] })]) {
      expect(throughTheCodec(place(special())).value).toEqual(throughJson(place(special())));
    }
  });

  test('keeps a key that is called __proto__', () => {
    const rows = Array.from({ length: 50 }, (_, id) => JSON.parse(`{"id":${id},"__proto__":{"x":1}}`));
    const { value } = throughTheCodec(rows);
    expect(same(value, rows)).toBe(true);
    expect(Object.getPrototypeOf(value[49])).toBe(Object.prototype);
  });

  test('is whole when its texts fill many chunks, of one and of two bytes', () => {
    const texts = Array.from({ length: 40 }, (_, i) => (i % 3 ? 'a' : '€').repeat(i * 1999));
    expect(throughTheCodec({ texts }).value).toEqual({ texts });
  });

  test('is whole when its keys are always new', () => {
    for (let i = 0; i < MAX_SHAPES * 2; i++) {
      const value = { [`key${i}`]: i, more: { [`k${i}`]: 1 } };
      if (!same(throughTheCodec(value).value, value)) throw new Error(`number ${i} differs`);
    }
  });

  test('is whole where another is encoded while it is asked for its form', () => {
    const inner = new Encoder();
    const value = { a: 1, date: { toJSON: () => inner.encode({ x: [1, 2] }) && 'told' }, b: 'text' };
    expect(throughTheCodec(value).value).toEqual({ a: 1, date: 'told', b: 'text' });
  });

  test('is whole without code from texts', () => {
    const { execFileSync } = require('child_process');
    const program = `
      const { Encoder } = require('./lib/codec/encoder');
      const { Decoder } = require('./lib/codec/decoder');
      const { Region } = require('./lib/codec/layout');
      const region = new Region(new ArrayBuffer(65536));
      const encoder = new Encoder();
      encoder.encode(Array.from({ length: 100 }, (_, id) => ({ id })));
      encoder.writeTo(region, 0);
      console.log(new Decoder().decode(region, 0, encoder.size).at(-1).id);`;
    const args = ['--disallow-code-generation-from-strings', '-e', program];
    expect(execFileSync(process.execPath, args, { cwd: `${__dirname}/..`, encoding: 'utf8' })).toBe('99\n');
  });
});

describe('what JSON calls is called once and in its order', () => {
  test('toJSON with its key, and getters', () => {
    const callsOf = act => {
      const calls = [];
      const told = name => ({ toJSON: key => calls.push(`${name} as ${key} (${typeof key})`) && name });
      act({ a: told('first'), list: [told('second')], get b() { calls.push('getter'); return told('third'); } });
      return calls;
    };
    expect(callsOf(throughTheCodec)).toEqual(callsOf(throughJson));
  });

  test('toJSON that is a getter itself, and its object as this', () => {
    const callsOf = act => {
      const calls = [];
      const value = { get toJSON() { return calls.push('asked') && function () { return calls.push(this === value) && 'told'; }; } };
      act({ value });
      return calls;
    };
    expect(callsOf(throughTheCodec)).toEqual(callsOf(throughJson));
  });
});

describe('what JSON refuses is refused in its words', () => {
  const cyclic = { name: 'x' };
  cyclic.self = cyclic;

  test('a BigInt', () => {
    expect(outcomeOf(() => throughTheCodec({ a: 1n }))).toEqual(outcomeOf(() => throughJson({ a: 1n })));
    expect(outcomeOf(() => throughTheCodec([Object(1n)]))).toEqual(outcomeOf(() => throughJson([Object(1n)])));
  });

  test('a getter that throws', () => {
    const value = { get a() { throw new RangeError('of the app'); } };
    expect(() => throughTheCodec(value)).toThrow(new RangeError('of the app'));
    expect(throughTheCodec({ after: 1 }).value).toEqual({ after: 1 });
  });

  test('a cycle, and what is nested very deeply, are left to JSON', () => {
    expect(encoder.encode(cyclic)).toBe(false);
    let deep = 1;
    for (let i = 0; i < 1000; i++) deep = [deep];
    expect(encoder.encode(deep)).toBe(false);
  });

  test('a value that JSON leaves out has no form', () => {
    expect(encoder.encode(undefined)).toBe(false);
    expect(encoder.encode(() => {})).toBe(false);
  });
});

describe('bytes that nobody encoded', () => {
  /** Decodes what stands there; true where that gave a value. Anything but MalformedValue is thrown on. */
  function survives(size) {
    try {
      decoder.decode(region, OFFSET, size);
      return true;
    } catch (error) {
      if (!(error instanceof MalformedValue || error instanceof RangeError)) throw error;
      return false;
    }
  }

  test(`are refused or read as some value, never more (CODEC_SEED=${FIRST_SEED})`, () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const next = random(seed);
      const value = { value: jsonValues(seed, { specials: false })() };
      encoder.encode(value);
      encoder.writeTo(region, OFFSET);
      const { size } = encoder;
      for (let i = 0; i <= next(8); i++) region.bytes[OFFSET + next(size)] = next(256);
      survives(next(10) ? size : next(size));
      // It has no memory of what was broken.
      encoder.writeTo(region, OFFSET);
      if (!same(decoder.decode(region, OFFSET, size), throughJson(value))) throw new Error(`seed ${seed} differs afterwards`);
    }
  });

  test('are refused where they promise more than there is', () => {
    const [words] = [region.words];
    const at = OFFSET / 4;
    words.set([2 ** 30, 0, 1, 100], at);
    expect(() => decoder.decode(region, OFFSET, 100)).toThrow(MalformedValue);
    encoder.encode([1, 2, 3]);
    encoder.writeTo(region, OFFSET);
    words[at + 4] = (2 ** 26) << 4 | 7;
    expect(() => decoder.decode(region, OFFSET, encoder.size)).toThrow('67108864 elements where 3 words are left');
  });
});
