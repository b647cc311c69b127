'use strict';

// What `top` remembers of the last statuses, and what can be said only by comparing two of them. Pure: a new history for each sample.

const { actionFacts, allProcesses } = require('../facts');

const MAX_SAMPLES = 120;

/** How much a count grew per unit of time; undefined for a process that was not there before. */
function growth(now, before, elapsedMs) {
  if (now === undefined || before === undefined || !(elapsedMs > 0)) return undefined;
  return Math.max(0, now - before) / elapsedMs;
}

/** The same per second. */
function perSecond(now, before, elapsedMs) {
  const rate = growth(now, before, elapsedMs);
  return rate === undefined ? undefined : rate * 1000;
}

function compared(found, earlier, elapsedMs) {
  const rateOf = fact => perSecond(found[fact], earlier?.[fact], elapsedMs);
  const [sendRate, receiveRate] = [rateOf('sent'), rateOf('received')];
  return {
    ...found, cpu: growth(found.cpuMs, earlier?.cpuMs, elapsedMs), rate: rateOf('requests'), sendRate, receiveRate,
    messageRate: sendRate === undefined ? undefined : sendRate + receiveRate,
  };
}

/** The busiest actions of now first, and of those that rest the ones that were used most. */
function comparedActions(actions, earlier = [], elapsedMs) {
  const before = new Map(earlier.map(found => [found.action, found]));
  // An action that was not there before began with nothing.
  const rateOf = ({ action, sent }) => (elapsedMs > 0 ? perSecond(sent, before.get(action)?.sent ?? 0, elapsedMs) : undefined);
  return actions.map(found => ({ ...found, sendRate: rateOf(found) }))
    .sort((a, b) => (b.sendRate ?? 0) - (a.sendRate ?? 0) || b.sent + b.received - a.sent - a.received || (a.action < b.action ? -1 : 1));
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
  const elapsedMs = last && atMs - last.atMs;
  const processes = allProcesses(status).map(found => compared(found, last?.processes.find(sameAs(found)), elapsedMs));
  const actions = comparedActions(actionFacts(status), last?.actions, elapsedMs);
  // Of those that are past only the figures of processes are shown.
  const past = last ? [...samples.slice(0, -1), { ...last, actions: undefined }] : [];
  return { samples: [...past, { atMs, status, processes, actions }].slice(-MAX_SAMPLES) };
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
