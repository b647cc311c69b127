'use strict';

// options.recycle: when a worker has served long enough and is renewed.

const { ClutchError } = require('../errors');
const { bad, givenFields, isPlainObject, show } = require('./checks');
const { duration } = require('./duration');
const { memoryLimit } = require('./memory_plan');
const { size } = require('./size');

const FIELDS = ['memory', 'requests', 'age', 'jitter'];
const JITTER = 0.1;
const MIN_MEMORY = 16 * 2 ** 20;
const MIN_AGE_MS = 1000;
const PERCENT = /^\s*(\d+(?:\.\d+)?)\s*%\s*$/;

/** `'80%'`: of the memory that the cgroup or the machine has, for the agent and all workers together. */
function memory(value, machine) {
  if (value === undefined) return {};
  const percent = typeof value === 'string' ? PERCENT.exec(value) : null;
  if (!percent) return { memory: size('options.recycle.memory', value, { min: MIN_MEMORY }) };
  const share = Number(percent[1]) / 100;
  if (!(share > 0 && share <= 1)) throw bad('options.recycle.memory', value, "a size, or a share of the container's memory up to '100%'");
  return { clusterMemory: Math.floor(memoryLimit(machine).bytes * share) };
}

function requests(value) {
  if (value === undefined) return {};
  if (!Number.isInteger(value) || value < 1 || value > 2 ** 32 - 1) throw bad('options.recycle.requests', value, 'a whole number from 1 to 4294967295');
  return { requests: value };
}

function jitter(value = JITTER) {
  if (typeof value !== 'number' || !(value >= 0 && value < 1)) throw bad('options.recycle.jitter', value, 'a number from 0 to below 1');
  return value;
}

function age(value) {
  return value === undefined ? {} : { ageMs: duration('options.recycle.age', value, { min: MIN_AGE_MS }) };
}

/**
 * @param {unknown} recycle as given
 * @returns what the binding takes; undefined where nobody is renewed
 * @throws ClutchError ERR_CLUTCH_OPTION
 */
function recycleOptions(recycle, machine) {
  if (recycle === undefined || recycle === null || recycle === false) return undefined;
  if (!isPlainObject(recycle)) throw bad('options.recycle', recycle, `false or an object with ${FIELDS.join(', ')}`);
  if (Object.keys(recycle).some(name => !FIELDS.includes(name))) throw bad('options.recycle', recycle, `an object with no more than ${FIELDS.join(', ')}`);
  const given = givenFields(recycle);
  const limits = { ...memory(given.memory, machine), ...requests(given.requests), ...age(given.age) };
  const parsed = { ...limits, jitter: jitter(given.jitter) };
  return Object.keys(limits).length ? parsed : undefined;
}

/** Throws ERR_CLUTCH_OPTION for a value that is not allowed. */
function checkRecycle({ recycle, startMode }) {
  if (recycleOptions(recycle) && startMode === 'worker_threads') {
    throw new ClutchError('ERR_CLUTCH_OPTION',
      `options.recycle (got ${show(recycle)}) cannot be used with startMode 'worker_threads': two threads cannot listen on one port, so a new one cannot come first`);
  }
}

module.exports = { checkRecycle, recycleOptions };
