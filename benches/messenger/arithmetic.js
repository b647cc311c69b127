'use strict';

// What is made of the figures of a run: medians, ratios pair by pair, and how far they range.

/** @param {number[]} values at least one */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * How many times better ours is than stock's, of each pair of runs that came one after the other.
 * @param {{ stock: number, ours: number }[]} pairs at least one
 * @param {'lower' | 'higher'} better which of two values is the better one
 * @returns {{ median: number, least: number, most: number }}
 */
function ratios(pairs, better) {
  const all = pairs.map(({ stock, ours }) => (better === 'lower' ? stock / ours : ours / stock));
  return { median: median(all), least: Math.min(...all), most: Math.max(...all) };
}

/** Three digits, as more would only be noise. */
function short(value) {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

module.exports = { median, ratios, short };
