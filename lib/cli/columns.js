'use strict';

// The table of processes, for `status` and `top`. Pure.

const { amount, bytes, lag, percent, span, NONE } = require('./units');

const LEFT = new Set(['id', 'state']);
const LEAST_COLUMNS = 2;

function nameOf({ role, id }) {
  if (role === 'agent') return role;
  return role === 'spare' ? `spare ${id}` : String(id);
}

function column(name, title, show) {
  return { name, title, value: found => found[name], text: found => show(found[name]) };
}

/** In the order of the table; `value` is what is sorted by. */
const COLUMNS = [
  { name: 'id', title: 'ID', value: ({ role, id }) => (role === 'agent' ? 0 : id), text: nameOf },
  column('state', 'STATE', state => state ?? NONE),
  column('pid', 'PID', pid => String(pid ?? NONE)),
  column('generation', 'GEN', generation => String(generation ?? NONE)),
  column('uptimeMs', 'UP', span),
  column('loop', 'LOOP', percent),
  column('lagMs', 'LAG', lag),
  column('lagP99Ms', 'P99', lag),
  column('cpu', 'CPU', percent),
  column('memory', 'MEM', bytes),
  column('heap', 'HEAP', bytes),
  column('connections', 'CONN', amount),
  column('inFlight', 'BUSY', amount),
  column('rate', 'REQ/S', amount),
  column('messageRate', 'MSG/S', amount),
  column('requests', 'REQS', amount),
  column('failed', '5XX', amount),
];

/** Those of which anything is known. */
function knownColumns(processes) {
  return COLUMNS.filter(({ name, value }) => name === 'id' || processes.some(found => value(found) !== undefined && value(found) !== null));
}

/**
 * @param {object[]} processes see allProcesses
 * @param {object[]} columns of COLUMNS
 * @param {number} [width] columns are left out from the right until the rest fits
 * @returns {{ head: string, rows: string[] }}
 */
function table(processes, columns, width = Infinity) {
  const cells = processes.map(found => columns.map(({ text }) => text(found)));
  const widths = columns.map(({ title }, place) => Math.max(title.length, ...cells.map(row => row[place].length)));
  let count = columns.length;
  const total = () => widths.slice(0, count).reduce((sum, one) => sum + one + 2, -2);
  while (count > LEAST_COLUMNS && total() > width) count -= 1;
  const line = row => row.slice(0, count)
    .map((cell, place) => (LEFT.has(columns[place].name) ? cell.padEnd(widths[place]) : cell.padStart(widths[place]))).join('  ').trimEnd();
  return { head: line(columns.map(({ title }) => title)), rows: cells.map(line) };
}

module.exports = { COLUMNS, knownColumns, table };
