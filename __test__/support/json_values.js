'use strict';

// Values as JSON.stringify may meet them, made from a seed: plain ones mostly, and all that it treats in a way of its own.

function random(seed) {
  let state = seed >>> 0 || 1;
  return limit => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

const NUMBERS = [
  0, -0, 1, -1, 2 ** 27 - 1, 2 ** 27, -(2 ** 27), 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 53, 0.1, -1.5e-300, 1e308,
  NaN, Infinity, -Infinity,
];
const TEXTS = ['', 'a', 'name', 'é', '€uro', '\u{1f95a}', '\ud800', '\udfff\ud800', '"\\\n\u2028\u0000', 'x'.repeat(70000), 'é€'.repeat(20000)];
const KEYS = ['id', 'name', 'é', '', '__proto__', 'constructor', 'toString', '1', '10', '2', 'length', '"', '\ud800', '\u2028', 'a b'];

class Point {
  constructor(x) {
    this.x = x;
  }

  get ignored() {
    return 'inherited';
  }
}

const SPECIALS = [
  () => undefined,
  () => () => 1,
  () => Symbol('s'),
  () => new Date(86400000),
  () => new Date(NaN),
  () => Buffer.from([1, 2, 255]),
  () => new Uint8Array([1, 2]),
  () => new Map([[1, 2]]),
  () => new Set([1]),
  () => new Error('told'),
  () => /x/g,
  () => new Point(3),
  () => Object.create(null, { own: { value: 1, enumerable: true }, hidden: { value: 2 } }),
  () => Object.create({ inherited: 1 }),
  () => Object(5),
  () => Object('boxed'),
  () => Object(false),
  () => Object(Symbol('boxed')),
  () => Object.assign(Object(7), { toString: () => 'no', valueOf: () => 8 }),
  () => ({ toJSON: key => `of ${key}` }),
  () => ({ toJSON: () => undefined, a: 1 }),
  () => ({ toJSON: () => ({ toJSON: () => 'not asked again', b: 1 }) }),
  () => ({ toJSON() { return this; }, a: [1] }),
  () => ({ toJSON: 'no function' }),
  () => Object.assign(() => {}, { toJSON: () => 'a function with a form' }),
  () => Object.assign([1, 2], { more: 3 }),
  () => Object.assign([1, 2], { toJSON: () => 'a list with a form' }),
  () => [1, , 3], // eslint-disable-line no-sparse-arrays
  () => new Array(5),
  () => new Proxy({ a: 1, b: 2 }, {}),
  () => new Proxy([1, 2], {}),
  () => new (class extends Array {})(1, 2, 3),
  () => ({ get a() { return 1; }, set b(value) {} }),
  () => new Proxy({}, { ownKeys: () => ['x'], getOwnPropertyDescriptor: () => ({ value: 9, enumerable: true, configurable: true }), get: (_, key) => (key === 'x' ? 9 : undefined) }),
  () => JSON.rawJSON?.('12345678901234567890') ?? null,
  () => globalThis.process.versions,
  () => (function () { return arguments; })(1, 2),
  () => Object.assign(Object.create(Array.prototype), { 0: 'a list by its prototype only', length: 1 }),
  () => Object.setPrototypeOf([1, 2], Object.prototype),
  () => Object.setPrototypeOf([1, 2], null),
  () => { const list = [{ get a() { return list.length = 1; } }, 2, 3]; return list; },
  () => { const made = { get a() { made.late = 1; return delete made.b; }, b: 2, c: 3 }; return made; },
];

/** The first of the seeds that a run tries, another each time; CODEC_SEED has the same ones again. */
const FIRST_SEED = Number(process.env.CODEC_SEED ?? 1 + Math.floor(Math.random() * 2 ** 31));
/** How many it tries. */
const SEEDS = Number(process.env.CODEC_SEEDS ?? 300);

/** @returns {() => unknown} makes one value after the other */
function jsonValues(seed, { specials = true } = {}) {
  const next = random(seed);
  const pick = list => list[next(list.length)];

  function object(depth) {
    const made = {};
    const wide = next(40) === 0;
    const count = wide ? 60 + next(20) : next(7);
    for (let i = 0; i < count; i++) {
      const key = wide ? `key${next(1000)}` : pick(KEYS);
      Object.defineProperty(made, key, { value: value(depth + 1), enumerable: true, writable: true, configurable: true });
    }
    return made;
  }

  function records(depth) {
    const keys = Array.from({ length: 1 + next(5) }, () => pick(KEYS));
    return Array.from({ length: next(30) }, () => Object.fromEntries(keys.map(key => [key, value(depth + 2)])));
  }

  function value(depth = 0) {
    const kind = next(depth > 5 ? 5 : 10);
    if (kind === 0) return pick([null, true, false]);
    if (kind === 1) return pick(NUMBERS);
    if (kind === 2) return next(2 ** 32) - 2 ** 31;
    if (kind === 3) return next(20) ? `text ${next(1000)}` : pick(TEXTS);
    if (kind === 4) return specials && next(3) === 0 ? pick(SPECIALS)() : next(1000) / 7;
    if (kind < 7) return Array.from({ length: next(6) }, () => value(depth + 1));
    return kind === 7 ? records(depth) : object(depth);
  }

  return value;
}

module.exports = { jsonValues, random, FIRST_SEED, SEEDS, SPECIALS };
