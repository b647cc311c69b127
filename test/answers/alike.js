'use strict';

// Equal or not, and if not, every place where two values differ.

const assert = require('node:assert/strict');
const { isDeepStrictEqual, inspect } = require('node:util');

const LONGEST = 400;

function isTree(value) {
  return value !== null && typeof value === 'object';
}

function show(value) {
  return inspect(value, { depth: 4, breakLength: Infinity, maxStringLength: LONGEST });
}

/** A long text is shown from where the other one leaves it. */
function showBoth(stock, ours) {
  if (typeof stock !== 'string' || typeof ours !== 'string') return [show(stock), show(ours)];
  let same = 0;
  while (stock[same] === ours[same]) same += 1;
  const from = Math.max(0, same - 40);
  return [stock, ours].map(text => `${from ? '…' : ''}${show(text.slice(from))}`);
}

function differences(stock, ours, place = '') {
  if (isDeepStrictEqual(stock, ours)) return [];
  if (!isTree(stock) || !isTree(ours) || Array.isArray(stock) !== Array.isArray(ours)) {
    const [left, right] = showBoth(stock, ours);
    return [`${place || 'the whole'}\n    stock: ${left}\n    ours:  ${right}`];
  }
  const names = new Set([...Object.keys(stock), ...Object.keys(ours)]);
  return [...names].flatMap(name => differences(stock[name], ours[name], place ? `${place}.${name}` : name));
}

function assertAlike({ stock, ours }) {
  const found = differences(stock, ours);
  if (found.length) assert.fail(`not alike:\n  ${found.join('\n  ')}`);
}

module.exports = { assertAlike };
