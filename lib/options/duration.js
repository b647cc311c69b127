'use strict';

// How long: the one parser of durations, for options and for arguments.

const { bad } = require('./checks');

// A timer that is set to more fires at once.
const MAX_TIMER_MS = 2 ** 31 - 1;
const MS = Object.freeze({ ms: 1, s: 1000, m: 60000, h: 3600000 });
const TEXT = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/;

function show(ms) {
  return ms === MAX_TIMER_MS ? `${MAX_TIMER_MS} ms (24.8 days)` : `${ms} ms`;
}

/**
 * @param {string} name of the option or argument, for the error
 * @param {unknown} value milliseconds as a number, or a text such as '1s', '250ms', '1.5m', '2h', '100'
 * @param {{ min?: number, max?: number }} [limits] in milliseconds
 * @returns {number} milliseconds, whole
 * @throws ClutchError ERR_CLUTCH_OPTION
 */
function duration(name, value, { min = 0, max = MAX_TIMER_MS } = {}) {
  let ms = value;
  if (typeof value === 'string') {
    const match = TEXT.exec(value.trim());
    ms = match ? Number(match[1]) * MS[match[2] ?? 'ms'] : NaN;
  }
  if (typeof ms !== 'number' || !(ms >= min && ms <= max)) {
    throw bad(name, value, `a duration from ${show(min)} to ${show(max)}: milliseconds, or a text such as '1s'`);
  }
  return Math.round(ms);
}

module.exports = { duration, MAX_TIMER_MS };
