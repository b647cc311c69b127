'use strict';

// Whether JSON keeps a value as it is: then the form that is made for JSON does for structured clone as well.

// What is larger or deeper is not looked at any further: to look would cost more than it saves.
const MAX_NODES = 1000;
const MAX_DEPTH = 32;

class Budget {
  nodes = MAX_NODES;
}

/** @returns {boolean} false where JSON changes the value, or that is not known */
function isJsonSafe(value) {
  return isSafe(value, 0, new Budget());
}

function isSafe(value, depth, budget) {
  switch (typeof value) {
    case 'string':
    case 'boolean': return true;
    case 'number': return Number.isFinite(value) && !Object.is(value, -0);
    case 'object': return value === null || isSafeObject(value, depth, budget);
    default: return false;
  }
}

function isSafeObject(value, depth, budget) {
  budget.nodes -= 1;
  if (depth === MAX_DEPTH || budget.nodes < 0) return false;
  if (Array.isArray(value)) return isSafeArray(value, depth, budget);
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  if (Object.prototype.toString.call(value) !== '[object Object]' || typeof value.toJSON === 'function') return false;
  for (const key of Object.keys(value)) {
    if (!isSafe(value[key], depth + 1, budget)) return false;
  }
  return true;
}

function isSafeArray(list, depth, budget) {
  budget.nodes -= list.length;
  if (budget.nodes < 0 || Object.getPrototypeOf(list) !== Array.prototype || typeof list.toJSON === 'function') return false;
  if (Object.keys(list).length !== list.length) return false;
  return list.every(element => isSafe(element, depth + 1, budget));
}

module.exports = { isJsonSafe };
