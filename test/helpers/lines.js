'use strict';
// What a cluster printed, for tests that say which lines there must be.

const assert = require('node:assert/strict');

function show(wanted) {
  return wanted instanceof RegExp ? wanted : JSON.stringify(wanted);
}

/** Asserts that `text` has all of `wanted` (texts or RegExps), each after the one before. */
function assertInOrder(text, wanted) {
  let rest = text;
  for (const [place, next] of wanted.entries()) {
    const at = typeof next === 'string' ? rest.indexOf(next) : rest.search(next);
    if (at === -1) {
      const after = place ? ` after ${show(wanted[place - 1])}` : '';
      assert.fail(`${show(next)} is missing${after} in:\n${rest}\n--- of:\n${text}`);
    }
    rest = rest.slice(at + (typeof next === 'string' ? next.length : rest.match(next)[0].length));
  }
}

/** How often `pattern` (a text) stands in `text`. */
function countOf(text, pattern) {
  return text.split(pattern).length - 1;
}

module.exports = { assertInOrder, countOf };
