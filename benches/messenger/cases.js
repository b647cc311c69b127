'use strict';

// What is measured, and what the target of each ratio is.

const KIB = 1024;
const MIB = 1024 * KIB;

const SIZES = { '64B': 64, '1K': KIB, '16K': 16 * KIB, '256K': 256 * KIB, '1M': MIB, '8M': 8 * MIB };

// Messages of a measured run by size.
const TRIPS = { '64B': 4000, '1K': 3000, '16K': 800, '256K': 60, '1M': 24, '8M': 6 };
const MESSAGES = { '64B': 100000, '1K': 50000, '16K': 5000, '256K': 200, '1M': 48, '8M': 6 };

const TRIP_TARGETS = { str: { '64B': 5, '1K': 5, other: 10 }, obj: { '64B': 4.5, '1K': 4, other: 3.5 } };
const RATE_TARGETS = { str: { '64B': 12, '1K': 7, other: 8 }, obj: { '64B': 8, '1K': 4, other: 3 } };
const UNHEARD_TARGET = 20;

function targetOf(targets, shape, size) {
  return targets[shape][size] ?? targets[shape].other;
}

const perSecond = (count, { ns }) => count / (ns / 1e9);

const KINDS = {
  trip: {
    title: 'app→agent→app', unit: 'µs p50', better: 'lower', workers: 1, counts: TRIPS,
    target: (shape, size) => targetOf(TRIP_TARGETS, shape, size),
    order: { op: 'ask', task: 'roundTrips' },
    messagesOf: count => count * 2,
    value: (_, { p50 }) => p50 / 1000,
  },
  down1: {
    title: 'agent→1 app', unit: 'msg/s', better: 'higher', workers: 1, counts: MESSAGES,
    target: (shape, size) => targetOf(RATE_TARGETS, shape, size),
    order: { op: 'fanout' },
    messagesOf: count => count,
    value: perSecond,
  },
  down4: {
    title: 'agent→4 apps', unit: 'msg/s', better: 'higher', workers: 4, counts: MESSAGES, share: 0.5,
    target: (shape, size) => targetOf(RATE_TARGETS, shape, size),
    order: { op: 'fanout' },
    messagesOf: count => count,
    value: perSecond,
  },
  up: {
    title: 'app→agent', unit: 'msg/s', better: 'higher', workers: 1, counts: MESSAGES,
    target: (shape, size) => targetOf(RATE_TARGETS, shape, size),
    order: { op: 'ask', task: 'upstream' },
    messagesOf: count => count,
    value: perSecond,
  },
  unheard: {
    title: 'nobody listens', unit: 'msg/s', better: 'higher', workers: 1, counts: MESSAGES,
    target: () => UNHEARD_TARGET,
    order: { op: 'fanout', action: 'bench-nobody' },
    messagesOf: count => count,
    value: perSecond,
  },
};

/** All cases: { name, kind, shape, size, bytes, count, target }, and what its kind says. */
function allCases() {
  const cases = [];
  for (const [kind, { counts, share = 1, target, ...rest }] of Object.entries(KINDS)) {
    for (const shape of ['str', 'obj']) {
      for (const [size, bytes] of Object.entries(SIZES)) {
        const count = Math.max(4, Math.round(counts[size] * share));
        cases.push({ ...rest, name: `${kind}:${shape}:${size}`, kind, shape, size, bytes, count, target: target(shape, size) });
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

module.exports = { allCases, chosenCases };
