'use strict';
// What is done to whom, and when: drawn from a seed, so that it can be had again.

const { random } = require('../fixtures/apps/talks_to_all/words');

const KILL_SHARE = 40;
const LONGEST_STOP_MS = 700;

/**
 * @param {number} seed
 * @param {number} faults how many
 * @param {number} messages how many come in, all in all; the faults are spread over them
 * @returns {{ after: number, isKill: boolean, victim: number, stopMs: number }[]} `victim` counts those who are up, round and round
 */
function planOf(seed, faults, messages) {
  const choose = random(seed);
  return Array.from({ length: faults }, (_, index) => ({
    after: Math.floor(messages * (index + choose(1000) / 1000) / faults),
    isKill: choose(100) < KILL_SHARE,
    victim: choose(1000),
    stopMs: choose(LONGEST_STOP_MS),
  }));
}

module.exports = { planOf };
