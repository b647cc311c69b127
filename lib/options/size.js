'use strict';

// How many bytes: the one parser of sizes, for options and for arguments.

const { bad } = require('./checks');

const BYTES = Object.freeze({ b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30 });
const TEXT = /^(\d+(?:\.\d+)?)(b|kb|mb|gb)?$/i;

function show(bytes) {
  for (const [unit, factor] of Object.entries(BYTES).reverse()) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}b`;
}

/**
 * @param {string} name of the option or argument, for the error
 * @param {unknown} value bytes as a number, or a text such as '64mb', '512kb', '1.5gb', '4096'; a kb has 1024 bytes
 * @param {{ min?: number, max?: number }} [limits] in bytes
 * @returns {number} bytes, whole
 * @throws ClutchError ERR_CLUTCH_OPTION
 */
function size(name, value, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}) {
  let bytes = value;
  if (typeof value === 'string') {
    const match = TEXT.exec(value.trim());
    bytes = match ? Number(match[1]) * BYTES[(match[2] ?? 'b').toLowerCase()] : NaN;
  }
  if (typeof bytes !== 'number' || !(bytes >= min && bytes <= max)) {
    throw bad(name, value, `a size from ${show(min)} to ${show(max)}: bytes, or a text such as '64mb'`);
  }
  return Math.round(bytes);
}

module.exports = { size };
