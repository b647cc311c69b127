'use strict';

// The values of flags and operands, checked. Each names what was wrong.

const { duration } = require('../options/duration');
const { CommandError } = require('./failures');

function whole(name, text, { min = 1, max = 2 ** 32 - 1 } = {}) {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) throw CommandError.usage(`${name} must be a whole number from ${min} to ${max}, got ${text}`);
  return value;
}

/** @returns {number | 'agent'} */
function idOrAgent(text) {
  return text === 'agent' ? text : whole('id', text.replace(/^#/, ''));
}

/** Milliseconds; undefined where the flag is not given. */
function time(name, text, limits = { min: 1 }) {
  if (text === undefined) return undefined;
  try {
    return duration(name, text, limits);
  } catch (error) {
    throw CommandError.usage(error.message);
  }
}

module.exports = { whole, idOrAgent, time };
