'use strict';

// What is measured, and what the target of each ratio is.

const KIB = 1024;
const MIB = 1024 * KIB;

const SIZES = { '64B': 64, '1K': KIB, '16K': 16 * KIB, '256K': 256 * KIB, '1M': MIB, '8M': 8 * MIB };

// Messages of a measured run by size.
const TRIPS = { '64B': 4000, '1K': 3000, '16K': 800, '256K': 60, '1M': 24, '8M': 6 };
const MESSAGES = { '64B': 100000, '1K': 50000, '16K': 5000, '256K': 200, '1M': 48, '8M': 6 };

// Egg's layer writes a Buffer as JSON's list of numbers, which takes it up to seconds.
const BYTES_TRIPS = { '64B': 3000, '1K': 1500, '16K': 120, '256K': 10, '1M': 6, '8M': 4 };
const BYTES_MESSAGES = { '64B': 50000, '1K': 10000, '16K': 600, '256K': 40, '1M': 10, '8M': 4 };
// Beside it ours would be done before anything can be measured.
const MORE_OF_OURS = { '64B': 1, '1K': 2, '16K': 5, '256K': 20, '1M': 40, '8M': 40 };

const TEXTS = ['str', 'obj'];
// Cloned: Buffers by themselves, objects with one inside, Buffers of alloc() touched at both ends, the same written and read as a whole.
const BYTES = ['buf', 'clone', 'lent', 'filled'];

const TRIP_TARGETS = { str: { '64B': 5, '1K': 5, other: 10 }, obj: { '64B': 4.5, '1K': 4, other: 3.5 } };
const RATE_TARGETS = { str: { '64B': 12, '1K': 7, other: 8 }, obj: { '64B': 8, '1K': 4, other: 3 } };
const UNHEARD_TARGET = 20;
const BYTES_TARGETS = { '1K': 15, '256K': 40, '1M': 40, '8M': 40 };

function targetOf(targets, shape, size) {
  if (BYTES.includes(shape)) return BYTES_TARGETS[size] ?? 0;
  return targets[shape][size] ?? targets[shape].other;
}

const perSecond = (count, { ns }) => count / (ns / 1e9);

const KINDS = {
  trip: {
    title: 'app→agent→app', unit: 'µs p50', better: 'lower', workers: 1, counts: { text: TRIPS, bytes: BYTES_TRIPS }, shapes: [...TEXTS, ...BYTES],
    target: (shape, size) => targetOf(TRIP_TARGETS, shape, size),
    order: { op: 'ask', task: 'roundTrips' },
    messagesOf: count => count * 2,
    value: (_, { p50 }) => p50 / 1000,
  },
  down1: {
    title: 'agent→1 app', unit: 'msg/s', better: 'higher', workers: 1, counts: { text: MESSAGES, bytes: BYTES_MESSAGES }, shapes: [...TEXTS, ...BYTES],
    target: (shape, size) => targetOf(RATE_TARGETS, shape, size),
    order: { op: 'fanout' },
    messagesOf: count => count,
    value: perSecond,
  },
  down4: {
    title: 'agent→4 apps', unit: 'msg/s', better: 'higher', workers: 4, counts: { text: MESSAGES, bytes: BYTES_MESSAGES }, shapes: [...TEXTS, ...BYTES], share: 0.5,
    target: (shape, size) => targetOf(RATE_TARGETS, shape, size),
    order: { op: 'fanout' },
    messagesOf: count => count,
    value: perSecond,
  },
  up: {
    title: 'app→agent', unit: 'msg/s', better: 'higher', workers: 1, counts: { text: MESSAGES, bytes: BYTES_MESSAGES }, shapes: [...TEXTS, ...BYTES],
    target: (shape, size) => targetOf(RATE_TARGETS, shape, size),
    order: { op: 'ask', task: 'upstream' },
    messagesOf: count => count,
    value: perSecond,
  },
  unheard: {
    title: 'nobody listens', unit: 'msg/s', better: 'higher', workers: 1, counts: { text: MESSAGES, bytes: BYTES_MESSAGES }, shapes: TEXTS,
    target: () => UNHEARD_TARGET,
    order: { op: 'fanout', action: 'bench-nobody' },
    messagesOf: count => count,
    value: perSecond,
  },
};

function countsOf({ counts, share = 1 }, shape, size) {
  const isBytes = BYTES.includes(shape);
  const stock = Math.max(4, Math.round((isBytes ? counts.bytes : counts.text)[size] * share));
  return { stock, ours: isBytes ? stock * MORE_OF_OURS[size] : stock };
}

/**
 * All cases: { name, kind, shape, size, bytes, counts, serialization, target }, and what its kind says. `counts` are those of messages of
 * a run, for stock and ours; `serialization` is ours.
 */
function allCases() {
  const cases = [];
  for (const [kind, { target, shapes, ...rest }] of Object.entries(KINDS)) {
    for (const shape of shapes) {
      for (const [size, bytes] of Object.entries(SIZES)) {
        const serialization = BYTES.includes(shape) ? 'advanced' : 'json';
        const counts = countsOf(rest, shape, size);
        cases.push({ ...rest, name: `${kind}:${shape}:${size}`, kind, shape, size, bytes, counts, serialization, target: target(shape, size) });
      }
    }
  }
  return cases;
}

/** @param {string[]} patterns names; a * stands for anything */
function chosenCases(patterns) {
  const known = patterns.map(pattern => new RegExp(`^${pattern.replaceAll('*', '.*')}$`));
  return allCases().filter(({ name }) => known.some(pattern => pattern.test(name)));
}

module.exports = { allCases, chosenCases, SIZES };
