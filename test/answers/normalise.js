'use strict';

// Takes out of an answer what must differ between two clusters that run side by side: their ports and folders by their exact values,
// and what holds a time or a random number by its place.

const TIMES_AND_CHANCE = [
  // One line of its own, or a header in an answer read raw.
  [/(^|\n)(Date: )\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, '$1$2<date>'],
  [/(^|\n)(x-readtime: )[\d.]+/g, '$1$2<ms>'],
  [/(^|\n)(x-csp-nonce: )[\w-]{16}/g, '$1$2<nonce>'],
  [/csrfToken=[\w-]{24}/g, 'csrfToken=<token>'],
  [/_csrf=[\w-]{36}/g, '_csrf=<token>'],
  // The session is encrypted with the time of its end in it. What is in it the pages tell; its size is compared.
  [/SHOP_SESS=([\w-]{8,}={0,2})/g, (_, value) => `SHOP_SESS=<${value.length} characters>`],
  [/SHOP_SESS\.sig=[\w-]+/g, 'SHOP_SESS.sig=<seal>'],
  [/expires=\w{3}, (?!01 Jan 1970)\d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, 'expires=<date>'],
];

// Before all else: a pid is a number like 819, or 2026, and so is a part of the time at the head of a line. No process is called 0000.
const TIME_OF_A_LINE = /\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d([,.])\d{3}\b/g;
const noTime = (_, mark) => `0000-00-00 00:00:00${mark}000`;

class Normaliser {
  /** @param {[string | number, string][]} known exact values and what they are called */
  constructor(known) {
    // A folder may lie in another one: the longest goes first.
    const byLength = known.map(([value, name]) => [String(value), name]).sort(([one], [other]) => other.length - one.length);
    this.rules = byLength.map(([value, name]) => [exactly(value), name]);
  }

  text(text) {
    const rules = [[TIME_OF_A_LINE, noTime], ...this.rules, ...TIMES_AND_CHANCE];
    return rules.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text);
  }

  /** A copy of any plain value, with every text in it normalised, names of members too; numbers that are known become their names. */
  value(value) {
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'number') {
      const text = this.text(String(value));
      return text === String(value) ? value : text;
    }
    if (Array.isArray(value)) return value.map(item => this.value(item));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [this.text(name), this.value(item)]));
  }
}

function exactly(value) {
  const escaped = value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  // A number is one only where it is not a part of something longer, a sum of SHA-256 for example.
  return /^\d+$/.test(value) ? new RegExp(`(?<![A-Za-z0-9])${escaped}(?![A-Za-z0-9])`, 'g') : new RegExp(escaped, 'g');
}

module.exports = { Normaliser };
