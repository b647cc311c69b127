'use strict';

// The option `messenger`: how messages are written, and how much memory they may take.

const { bad, fieldsOf } = require('./checks');
const { size } = require('./size');

const MB = 2 ** 20;

const DEFAULTS = Object.freeze({ serialization: 'json', arena: 64 * MB, maxQueue: 256 * MB });
const SERIALIZATIONS = ['json', 'advanced'];
// Smaller, and hardly anything fits; larger, and it is no buffer between processes any more.
const ARENA = Object.freeze({ min: MB, max: 16 * 1024 * MB });
const MAX_QUEUE = Object.freeze({ min: MB, max: 64 * 1024 * MB });

/**
 * @param {unknown} value of options.messenger
 * @returns {{ serialization: 'json' | 'advanced', arena: number, maxQueue: number }} with defaults, sizes in bytes
 * @throws ClutchError ERR_CLUTCH_OPTION
 */
function parseMessenger(value) {
  const { serialization, arena, maxQueue } = { ...DEFAULTS, ...fieldsOf('options.messenger', value, Object.keys(DEFAULTS)) };
  if (!SERIALIZATIONS.includes(serialization)) throw bad('options.messenger.serialization', serialization, "'json' or 'advanced'");
  return {
    serialization,
    arena: size('options.messenger.arena', arena, ARENA),
    maxQueue: size('options.messenger.maxQueue', maxQueue, MAX_QUEUE),
  };
}

/** @returns {ReturnType<typeof parseMessenger>} of the parsed options, as a worker has them from its command line */
function messengerSettings(options) {
  return { ...DEFAULTS, ...options.messenger };
}

module.exports = { parseMessenger, messengerSettings, DEFAULTS };
