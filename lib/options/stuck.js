'use strict';

// options.stuck: when a process that does not come back to its event loop gets no new connections, and when it is replaced.

const { ClutchError } = require('../errors');
const { bad, boolean, givenFields, isPlainObject, show } = require('./checks');
const { duration } = require('./duration');

const DEFAULTS = Object.freeze({ steerAfter: '1s', killAfter: '30s', stack: true });
// Below, the watch itself would cost more than it could tell.
const MIN_MS = 100;
const MAX_MS = 24 * 3600 * 1000;

function parse(value) {
  const { steerAfter, killAfter, stack } = { ...DEFAULTS, ...givenFields(value ?? {}) };
  const limits = { min: MIN_MS, max: MAX_MS };
  return {
    steerAfterMs: duration('options.stuck.steerAfter', steerAfter, limits),
    killAfterMs: duration('options.stuck.killAfter', killAfter, limits),
    stack: boolean('options.stuck.stack', stack),
  };
}

/** Throws ERR_CLUTCH_OPTION for a value that is not allowed. */
function checkStuck({ stuck, startMode }) {
  if (stuck === undefined || stuck === false) return;
  if (!isPlainObject(stuck)) throw bad('options.stuck', stuck, 'false or an object with steerAfter, killAfter, stack');
  const unknown = Object.keys(stuck).find(name => !Object.hasOwn(DEFAULTS, name));
  if (unknown !== undefined) throw bad('options.stuck', stuck, 'an object with no more than steerAfter, killAfter, stack');
  if (startMode === 'worker_threads') {
    throw new ClutchError('ERR_CLUTCH_OPTION',
      `options.stuck (got ${show(stuck)}) cannot be used with startMode 'worker_threads': a thread that stands still cannot be replaced by force`);
  }
  const { steerAfterMs, killAfterMs } = parse(stuck);
  if (killAfterMs < steerAfterMs) throw bad('options.stuck.killAfter', stuck.killAfter, `at least steerAfter (${steerAfterMs} ms)`);
}

/** What the binding takes; undefined where nobody is watched. */
function stuckOptions(stuck) {
  return stuck === false ? undefined : parse(stuck);
}

module.exports = { checkStuck, stuckOptions };
