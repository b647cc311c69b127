'use strict';

// Numbers for people, in few columns. What is not known is a dash. Pure.

const NONE = '-';
const SIZES = ['B', 'K', 'M', 'G', 'T'];

function isNumber(value) {
  return typeof value === 'number' && Number.isFinite(value);
}

/** 512B, 64M, 1.5G */
function bytes(value) {
  if (!isNumber(value)) return NONE;
  let size = value;
  let unit = 0;
  for (; size >= 1024 && unit < SIZES.length - 1; unit++) size /= 1024;
  return `${size < 10 && unit > 0 ? size.toFixed(1) : Math.round(size)}${SIZES[unit]}`;
}

/** 80ms, 4.2s, 12m, 3h5m, 2d4h */
function span(ms) {
  if (!isNumber(ms)) return NONE;
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.floor(seconds)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h${minutes % 60}m` : `${Math.floor(hours / 24)}d${hours % 24}h`;
}

/** 17, 1.2k, 3.4M */
function amount(value) {
  if (!isNumber(value)) return NONE;
  if (value < 1000) return String(Number.isInteger(value) ? value : value.toFixed(1));
  if (value < 1e6) return `${(value / 1e3).toFixed(value < 1e4 ? 1 : 0)}k`;
  return `${(value / 1e6).toFixed(value < 1e7 ? 1 : 0)}M`;
}

/** Lag in milliseconds, with a digit behind the point while it is small. */
function lag(ms) {
  if (!isNumber(ms)) return NONE;
  return ms < 10 ? ms.toFixed(1) : span(ms);
}

/** A share of one processor. */
function percent(share) {
  return isNumber(share) ? `${Math.round(share * 100)}%` : NONE;
}

module.exports = { bytes, span, amount, lag, percent, NONE };
