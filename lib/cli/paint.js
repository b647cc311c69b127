'use strict';

// Colours, or none: https://no-color.org. What a colour says is said by a word as well.

const CODES = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33', cyan: '36', reverse: '7' };

/** @returns {(colour: string, text: string) => string} */
function painter({ isTTY }, env) {
  const wanted = isTTY && !env.NO_COLOR && env.TERM !== 'dumb';
  return wanted ? (colour, text) => `\x1b[${CODES[colour]}m${text}\x1b[0m` : (_colour, text) => text;
}

module.exports = { painter, CODES };
