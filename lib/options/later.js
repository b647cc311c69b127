'use strict';

// Options whose names are fixed but which this version cannot honour yet. A value that asks for what happens today anyway
// is let through; any other one is refused, because an option that is taken and ignored is worse than an error.

const { ClutchError } = require('../errors');
const { bad, show, isPlainObject } = require('./checks');

function isToday(...values) {
  return value => values.includes(value);
}

/**
 * `today(value)`: asks for nothing new. `known(value)`: would be allowed by its meaning; where it says no, the text is
 * about the value instead of about this version.
 */
const LATER = {
  control: {
    today: isToday(false),
    known: value => typeof value === 'string' && value !== '',
    allowed: 'the path of a socket, or false',
    instead: 'leave it out or give false, and control the master by signals',
  },
  admin: {
    today: isToday(false),
    known: isPlainObject,
    allowed: 'false or an object with port, host',
    instead: 'leave it out or give false, and read Cluster#status()',
  },
};

/** Throws ERR_CLUTCH_OPTION for the first option that this version cannot honour. */
function refuseLater(options) {
  for (const [name, { today, known, allowed, instead }] of Object.entries(LATER)) {
    if (!Object.hasOwn(options, name) || today(options[name])) continue;
    const value = options[name];
    if (!known(value)) throw bad(`options.${name}`, value, allowed);
    throw new ClutchError('ERR_CLUTCH_OPTION', `options.${name} is not available in this version (got ${show(value)}); ${instead}`);
  }
}

module.exports = { refuseLater, LATER };
