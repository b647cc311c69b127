'use strict';

// How records are made again from their key lists. V8 makes an object fastest from a literal, so a record that is seen again and again
// gets a constructor with one.

// Compiling takes some ten microseconds; keys that are seen a few times only are not worth it.
const COMPILED_AFTER = 16;
const MAX_LISTS = 1024;
const MAX_RECORDS = 1024;

const lists = new Map();
const records = new Map();

class Record {
  #keys;
  #made = 0;

  constructor(keys) {
    this.#keys = keys;
  }

  /** @param {import('./decoder').Decoder} decoder where its values come next */
  make(decoder) {
    this.#made += 1;
    if (this.#made === COMPILED_AFTER) this.make = compile(this.#keys) ?? this.make;
    const object = {};
    for (const key of this.#keys) define(object, key, decoder.read());
    return object;
  }
}

/** Gives an object a property of its own, whatever its name. */
function define(object, key, value) {
  // An assignment would set the prototype.
  if (key === '__proto__') Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  else object[key] = value;
}

function compile(keys) {
  // In a literal `"__proto__": value` sets the prototype; a computed key does not.
  const nameOf = key => (key === '__proto__' ? '["__proto__"]' : JSON.stringify(key));
  const fields = keys.map(key => `${nameOf(key)}: decoder.read()`);
  try {
    return new Function('decoder', `return { ${fields.join(', ')} };`);
  } catch {
    // node --disallow-code-generation-from-strings
    return undefined;
  }
}

function parse(text) {
  let keyLists;
  try {
    keyLists = JSON.parse(text);
  } catch {
    return undefined;
  }
  const isKeyList = keys => Array.isArray(keys) && keys.every(key => typeof key === 'string');
  return Array.isArray(keyLists) && keyLists.every(isKeyList) ? keyLists : undefined;
}

function recordOf(keys) {
  const name = JSON.stringify(keys);
  let record = records.get(name);
  if (!record) {
    if (records.size === MAX_RECORDS) records.clear();
    record = new Record(keys);
    records.set(name, record);
  }
  return record;
}

/**
 * @param {string} text the key lists of a message, as JSON
 * @returns {Record[] | undefined} undefined where it is no such text
 */
function recordsOf(text) {
  let found = lists.get(text);
  if (!found) {
    found = parse(text)?.map(recordOf);
    if (!found) return undefined;
    if (lists.size === MAX_LISTS) lists.clear();
    lists.set(text, found);
  }
  return found;
}

module.exports = { define, recordsOf };
