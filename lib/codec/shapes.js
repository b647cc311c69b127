'use strict';

// The lists of keys that objects have. Objects of one kind share a shape, so that their keys stand in a message once.

// Keys that are data (ids, names) make new shapes for ever. Then all are forgotten, so that memory stays bounded.
const MAX_SHAPES = 4096;

class Shape {
  #text = null;
  next = new Map();
  // The message that it stands in last, and its number there.
  message = 0;
  number = 0;

  constructor(keys) {
    this.keys = keys;
  }

  /** The keys as JSON. */
  get text() {
    return this.#text ??= JSON.stringify(this.keys);
  }

  hasKeys(keys) {
    const own = this.keys;
    const { length } = keys;
    if (own.length !== length) return false;
    for (let i = 0; i < length; i++) {
      if (own[i] !== keys[i]) return false;
    }
    return true;
  }
}

class ShapeTree {
  #root = new Shape([]);
  #count = 0;

  find(keys) {
    if (this.#count > MAX_SHAPES) {
      this.#root = new Shape([]);
      this.#count = 0;
    }
    let shape = this.#root;
    for (let i = 0; i < keys.length; i++) shape = shape.next.get(keys[i]) ?? this.#grow(shape, keys[i]);
    return shape;
  }

  #grow(shape, key) {
    const grown = new Shape([...shape.keys, key]);
    shape.next.set(key, grown);
    this.#count += 1;
    return grown;
  }
}

module.exports = { ShapeTree, MAX_SHAPES };
