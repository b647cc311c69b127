'use strict';

// What `top` remembers of the last statuses, and what can be said only by comparing two of them. Pure: a new history for each sample.

const { allProcesses } = require('../facts');

const MAX_SAMPLES = 120;

/** How much a count grew per unit of time; undefined for a process that was not there before. */
function growth(now, before, elapsedMs) {
  if (now === undefined || before === undefined || !(elapsedMs > 0)) return undefined;
  return Math.max(0, now - before) / elapsedMs;
}

function compared(found, earlier, elapsedMs) {
  const rate = growth(found.requests, earlier?.requests, elapsedMs);
  return { ...found, cpu: growth(found.cpuMs, earlier?.cpuMs, elapsedMs), rate: rate === undefined ? undefined : rate * 1000 };
}

/** The same process, and not a successor with the same number. */
function sameAs({ key, pid }) {
  return other => other.key === key && other.pid === pid;
}

/** @returns {{ samples: object[] }} */
function emptyHistory() {
  return { samples: [] };
}

/**
 * @param {{ samples: object[] }} history
 * @param {number} atMs when the status was taken, of any clock that does not go back
 * @param {object} status
 */
function withStatus({ samples }, atMs, status) {
  const last = samples.at(-1);
  const processes = allProcesses(status)
    .map(found => compared(found, last?.processes.find(sameAs(found)), last && atMs - last.atMs));
  return { samples: [...samples, { atMs, status, processes }].slice(-MAX_SAMPLES) };
}

/** The values of one fact of a process, oldest first; where it was not there yet, undefined. */
function seriesOf({ samples }, found, fact) {
  return samples.map(({ processes }) => processes.find(sameAs(found))?.[fact]);
}

/** Requests per second of all workers. */
function totalRates({ samples }) {
  return samples.map(({ processes }) => processes.reduce((sum, { rate = 0 }) => sum + rate, 0));
}

module.exports = { emptyHistory, withStatus, seriesOf, totalRates };
