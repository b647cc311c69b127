'use strict';

// The checks that more than one option needs. Each gives the value in its normal form or throws an ERR_CLUTCH_OPTION that
// names the option, what was given, and what is allowed.

const { inspect } = require('util');

const { ClutchError } = require('../errors');

const MAX_PORT = 65535;

function show(value) {
  return inspect(value, { depth: 1, maxStringLength: 80, maxArrayLength: 8, breakLength: Infinity });
}

function bad(name, value, allowed, cause) {
  return new ClutchError('ERR_CLUTCH_OPTION', `${name} must be ${allowed}, got ${show(value)}`, cause && { cause });
}

function string(name, value) {
  if (typeof value !== 'string') throw bad(name, value, 'a string');
  return value;
}

function boolean(name, value) {
  if (typeof value !== 'boolean') throw bad(name, value, 'true or false');
  return value;
}

function oneOf(name, value, words) {
  const quoted = words.map(word => `'${word}'`);
  if (!words.includes(value)) throw bad(name, value, `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`);
  return value;
}

function isPlainObject(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/**
 * The fields of an object that have a value: as among the options themselves, one without counts as not given.
 * `fromEntries` defines its keys, so one named `__proto__` stays a key.
 */
function givenFields(value) {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined && field !== null));
}

/** The same of an object that may have these fields and no others. */
function fieldsOf(name, value, known) {
  const allowed = `an object with ${known.join(', ')}`;
  if (!isPlainObject(value)) throw bad(name, value, allowed);
  const unknown = Object.keys(value).find(field => !known.includes(field));
  if (unknown !== undefined) throw bad(name, value, `${allowed}, and has no ${unknown}`);
  return givenFields(value);
}

function object(name, value) {
  if (!isPlainObject(value)) throw bad(name, value, 'an object');
  return value;
}

/**
 * A whole number as a number or in decimal digits. 0, NaN and '' mean "not given" (a command line tool hands them on for
 * a flag without a value), so does a missing one.
 * @returns {number | undefined}
 */
function count(name, value, max, allowed) {
  if (value === undefined || value === '' || Number.isNaN(value)) return undefined;
  let number = value;
  if (typeof value === 'string') number = /^\s*\d+\s*$/.test(value) ? Number.parseInt(value, 10) : NaN;
  if (!Number.isInteger(number) || number < 0 || number > max) throw bad(name, value, allowed);
  return number || undefined;
}

function port(name, value) {
  return count(name, value, MAX_PORT, `a TCP port from 1 to ${MAX_PORT} (or 0 for none)`);
}

module.exports = { MAX_PORT, show, bad, oneOf, string, boolean, object, isPlainObject, givenFields, fieldsOf, count, port };
