'use strict';

// Values as structuredClone() may meet them, made from a seed, and whether two of them are alike in all that an app can see.

const { types } = require('util');
const { jsonValues, random } = require('./json_values');

const LEAVES = [
  () => undefined, () => null, () => -0, () => NaN, () => Infinity, () => 2n ** 70n, () => 'é€', () => new Date(5), () => new Date(NaN), () => /x/gi,
  () => new RangeError('told'), () => Object(5), () => Object('boxed'), () => Object(1n), () => Buffer.from('hey'), () => new Uint8Array(3),
  () => new Float64Array([-0, NaN]), () => new ArrayBuffer(4), () => [1, , 3], // eslint-disable-line no-sparse-arrays
  () => Object.assign([1], { more: 2 }), () => Object.create(null), () => new (class A { a = 1; })(), () => ({ get a() { return 1; } }),
  () => JSON.parse('{"__proto__":{"x":1}}'), () => ({ 2: 'two', 1: 'one', b: 1, [Symbol('s')]: 1 }),
  () => Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`k${i}`, i])),
];

/** @returns {unknown} one that may refer to its parts twice, and to itself */
function cloneValue(seed) {
  const next = random(seed);
  const plain = jsonValues(seed, { specials: false });
  const made = [];
  // Where all parts are what JSON keeps, only their references may differ.
  const isPlain = next(3) === 0;

  function note(object) {
    made.push(object);
    return object;
  }

  function value(depth) {
    const kind = next(depth > 4 ? 3 : 9);
    if (isPlain && [0, 1, 3, 4].includes(kind)) return next(1000);
    if (kind === 0) return LEAVES[next(LEAVES.length)]();
    if (kind === 1) return plain();
    if (kind === 2) return made.length > 0 && next(3) === 0 ? made[next(made.length)] : next(1000);
    if (kind === 3) return fill(note(new Map()), (map, part) => map.set(next(2) ? next(9) : value(depth + 2), part), depth);
    if (kind === 4) return fill(note(new Set()), (set, part) => set.add(part), depth);
    if (kind < 7) return fill(note([]), (list, part) => list.push(part), depth);
    return fill(note({}), (object, part) => { object[`key${next(9)}`] = part; }, depth);
  }

  function fill(into, put, depth) {
    for (let count = next(5); count > 0; count--) put(into, value(depth + 1));
    return into;
  }

  return value(0);
}

/** Whether the one is to all of its parts, in their order, what the other one is: the same value, or the same reference to another part. */
function areAlike(one, other, met = new Map()) {
  if (Object(one) !== one || Object(other) !== other) return Object.is(one, other);
  if (met.has(one) || met.has(other)) return met.get(one) === other && met.get(other) === one;
  met.set(one, other).set(other, one);
  // Their realms may differ.
  if (kindOf(one) !== kindOf(other)) return false;
  const parts = [one, other].map(partsOf);
  return parts[0].length === parts[1].length && parts[0].every((part, index) => areAlike(part, parts[1][index], met));
}

function kindOf(object) {
  return Object.getPrototypeOf(object)?.constructor?.name;
}

function partsOf(object) {
  if (types.isNativeError(object)) return [object.name, object.message, object.stack];
  if (types.isDate(object)) return [object.getTime()];
  if (types.isRegExp(object)) return [String(object)];
  if (types.isArrayBuffer(object)) return [...new Uint8Array(object)];
  if (types.isTypedArray(object)) return [...object];
  const own = Object.keys(object).flatMap(key => [key, object[key]]);
  if (types.isBoxedPrimitive(object)) return [object.valueOf(), ...own];
  if (types.isMap(object)) return [...object].flat(1).concat(own);
  if (types.isSet(object)) return [...object, ...own];
  return Array.isArray(object) ? [object.length, ...own] : own;
}

module.exports = { areAlike, cloneValue };
