'use strict';

// The options that the supervisor goes by: time-outs, restarts, reloads, spares, and the delay before a stop. Checked when a cluster is
// started, and read again from the parsed options, where they stay as they were given.

const { bad, boolean, givenFields, isPlainObject } = require('./checks');
const { duration } = require('./duration');

const MAX_WORKERS = 1024;
const DEFAULTS = {
  boot: '10m', backoff: '100ms..15s', healthyAfter: '10s', intensity: [60, '60s'], then: 'slow', concurrency: 1,
};

function fields(name, value, known) {
  if (value === undefined || value === null) return {};
  const allowed = `an object with ${known.join(', ')}`;
  if (!isPlainObject(value)) throw bad(`options.${name}`, value, allowed);
  for (const field of Object.keys(value)) {
    if (!known.includes(field)) throw bad(`options.${name}`, value, `${allowed} and nothing else`);
  }
  return givenFields(value);
}

function whole(name, value, { min, max }) {
  if (!Number.isInteger(value) || value < min || value > max) throw bad(name, value, `a whole number from ${min} to ${max}`);
  return value;
}

/** `'100ms..15s'`: from the first delay to the longest; one duration is both. */
function backoff(name, value) {
  const allowed = "two durations, such as '100ms..15s', the first not longer than the second, or one";
  const ends = typeof value === 'string' && value.includes('..') ? value.split('..') : [value, value];
  if (ends.length !== 2) throw bad(name, value, allowed);
  const [base, cap] = ends.map(end => duration(name, end));
  if (base > cap) throw bad(name, value, allowed);
  return { backoffBaseMs: base, backoffCapMs: cap };
}

function intensity(name, value) {
  if (!Array.isArray(value) || value.length !== 2) throw bad(name, value, "a number of restarts and a duration, such as [60, '60s']");
  return {
    intensity: whole(`${name}[0]`, value[0], { min: 1, max: 2 ** 31 - 1 }),
    intensityPeriodMs: duration(`${name}[1]`, value[1], { min: 1 }),
  };
}

function restart(options) {
  const given = { ...DEFAULTS, ...fields('restart', options.restart, ['backoff', 'healthyAfter', 'intensity', 'then']) };
  if (!['slow', 'exit'].includes(given.then)) throw bad('options.restart.then', given.then, "'slow' or 'exit'");
  return {
    ...backoff('options.restart.backoff', given.backoff),
    healthyAfterMs: duration('options.restart.healthyAfter', given.healthyAfter),
    ...intensity('options.restart.intensity', given.intensity),
    endsMaster: given.then === 'exit',
  };
}

function reload(options) {
  const { concurrency = DEFAULTS.concurrency, agent = false } = fields('reload', options.reload, ['concurrency', 'agent']);
  return {
    reloadConcurrency: whole('options.reload.concurrency', concurrency, { min: 1, max: MAX_WORKERS }),
    reloadAgent: boolean('options.reload.agent', agent),
  };
}

/**
 * The time-outs of workers, which read them from the options that they are handed.
 * @returns {{ bootMs: number, drainMs: number | undefined, lingerMs: number | undefined }} without a drain time-out the environment's
 *   counts, and how long idle connections are kept depends on why their worker leaves
 */
function timeouts(options) {
  const { boot = DEFAULTS.boot, drain, linger } = fields('timeouts', options.timeouts, ['boot', 'drain', 'linger']);
  return {
    bootMs: duration('options.timeouts.boot', boot, { min: 1 }),
    drainMs: drain === undefined ? undefined : duration('options.timeouts.drain', drain),
    lingerMs: linger === undefined ? undefined : duration('options.timeouts.linger', linger),
  };
}

/**
 * @param {object} options as given, or parsed
 * @returns what the binding's ClusterConfig takes of it, and `drainMs` where it was given
 * @throws ClutchError ERR_CLUTCH_OPTION
 */
function supervision(options) {
  const { bootMs, drainMs } = timeouts(options);
  const spares = whole('options.spare', options.spare ?? 0, { min: 0, max: MAX_WORKERS });
  if (spares && options.startMode === 'worker_threads') {
    throw bad('options.spare', spares, "0 together with startMode 'worker_threads': a thread serves as soon as it listens");
  }
  return {
    drainMs,
    bootTimeoutMs: bootMs,
    spares,
    ...reload(options),
    preStopDelayMs: duration('options.preStopDelay', options.preStopDelay ?? 0),
    restart: restart(options),
  };
}

module.exports = { supervision, timeouts };
