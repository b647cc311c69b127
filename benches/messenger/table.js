'use strict';

// The figures of a case as a row, with the target beside them.

const { median, ratios, short } = require('./arithmetic');

const HEADS = ['case', 'egg 3 → ours', 'ratio (range)', 'target', 'CPU a message, µs', 'ratio', 'master', 'peak MiB'];

function row(aCase, pairs) {
  const of = key => pairs.map(({ stock, ours }) => ({ stock: stock[key], ours: ours[key] }));
  const middle = (layer, key) => median(pairs.map(pair => pair[layer][key]));
  const change = key => `${short(middle('stock', key))} → ${short(middle('ours', key))}`;
  const speed = ratios(of('value'), aCase.better);
  const verdict = speed.median >= aCase.target ? 'met' : 'missed';
  return [
    aCase.name,
    `${change('value')} ${aCase.unit}`,
    `${short(speed.median)}× (${short(speed.least)}–${short(speed.most)})`,
    aCase.target ? `≥ ${aCase.target}× ${verdict}` : '',
    change('cpu'),
    `${short(ratios(of('cpu'), 'lower').median)}×`,
    short(middle('ours', 'master')),
    change('peak'),
  ];
}

/** @param {string[][]} rows */
function render(rows) {
  const all = [HEADS, HEADS.map(() => '---'), ...rows];
  const widths = HEADS.map((_, column) => Math.max(...all.map(cells => cells[column].length)));
  return all.map(cells => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`).join('\n');
}

module.exports = { row, render };
