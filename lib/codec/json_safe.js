'use strict';

// Whether JSON keeps a value as it is: then the form that is made for JSON does for structured clone as well.

// What is larger or deeper is not looked at any further: to look would cost more than it saves.
const MAX_NODES = 1000;
const MAX_DEPTH = 32;
// So many are quicker compared than hashed.
const FEW = 8;

/** What has been looked at of a value. */
class Look {
  nodes = MAX_NODES;
  #few = [];
  #many = null;

  /** Whether an object is met for the first time. A clone keeps two references to one object, and JSON makes two objects of them. */
  isFirst(object) {
    if (this.#many === null) {
      if (this.#few.includes(object)) return false;
      if (this.#few.push(object) > FEW) this.#many = new Set(this.#few);
      return true;
    }
    const { size } = this.#many;
    return this.#many.add(object).size > size;
  }
}

/** @returns {boolean} false where JSON changes the value, or that is not known */
function isJsonSafe(value) {
  return isSafe(value, 0, new Look());
}

function isSafe(value, depth, look) {
  switch (typeof value) {
    case 'string':
    case 'boolean': return true;
    case 'number': return Number.isFinite(value) && !Object.is(value, -0);
    case 'object': return value === null || isSafeObject(value, depth, look);
    default: return false;
  }
}

function isSafeObject(value, depth, look) {
  look.nodes -= 1;
  if (depth === MAX_DEPTH || look.nodes < 0 || !look.isFirst(value)) return false;
  if (Array.isArray(value)) return isSafeArray(value, depth, look);
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  if (Object.prototype.toString.call(value) !== '[object Object]' || typeof value.toJSON === 'function') return false;
  for (const key of Object.keys(value)) {
    if (!isSafe(value[key], depth + 1, look)) return false;
  }
  return true;
}

function isSafeArray(list, depth, look) {
  look.nodes -= list.length;
  if (look.nodes < 0 || Object.getPrototypeOf(list) !== Array.prototype || typeof list.toJSON === 'function') return false;
  if (Object.keys(list).length !== list.length) return false;
  return list.every(element => isSafe(element, depth + 1, look));
}

module.exports = { isJsonSafe };
