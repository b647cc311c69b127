'use strict';

// What apps and workers have written is shown on a terminal as text: it must not be able to steer it. Pure.

// eslint-disable-next-line no-control-regex
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** The text without control characters, but for line breaks and tabs. */
function visible(text) {
  return String(text).replace(/\x1b\[[\d;?]*[a-z]/gi, '').replace(CONTROLS, ''); // eslint-disable-line no-control-regex
}

module.exports = { visible };
