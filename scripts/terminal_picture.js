'use strict';
// What a terminal shows, as HTML: text with the escape sequences for colours that our own screens use.

const COLOURS = { 31: '#ff8a80', 32: '#7bd88f', 33: '#e8c268', 36: '#74d0e0' };
const GROUND = '#171a14';
const TEXT = '#e8ebe2';

function escaped(text) {
  return text.replace(/[&<>]/g, sign => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign]);
}

function styleOf({ colour, bold, dim, reverse }) {
  const front = colour ?? TEXT;
  return [
    reverse ? `color:${GROUND};background:${front}` : `color:${front}`, ...(bold ? ['font-weight:bold'] : []), ...(dim ? ['opacity:.7'] : []),
  ].join(';');
}

function changed(state, code) {
  if (code === 0) return {};
  if (code === 1) return { ...state, bold: true };
  if (code === 2) return { ...state, dim: true };
  if (code === 7) return { ...state, reverse: true };
  if (code === 22) return { ...state, bold: false, dim: false };
  if (code === 27) return { ...state, reverse: false };
  if (code === 39) return { ...state, colour: undefined };
  return COLOURS[code] ? { ...state, colour: COLOURS[code] } : state;
}

/** @param {string} text @returns {string} a whole page */
function terminalPicture(text) {
  let state = {};
  const parts = text.trimEnd().split(/\x1b\[([\d;]*)m/).map((part, place) => { // eslint-disable-line no-control-regex
    if (place % 2 === 0) return part === '' ? '' : `<span style="${styleOf(state)}">${escaped(part)}</span>`;
    for (const code of part.split(';')) state = changed(state, Number(code));
    return '';
  });
  return `<!doctype html><meta charset="utf-8"><style>body{margin:0;background:${GROUND}}
pre{font:14px/1.25 monospace;padding:14px;margin:0;display:inline-block;background:${GROUND};color:${TEXT}}</style><pre>${parts.join('')}</pre>`;
}

module.exports = { terminalPicture };
