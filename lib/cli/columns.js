'use strict';

// The table of processes, for `status` and `top`. Pure.

const { amount, bytes, lag, percent, span, NONE } = require('./units');

const LEFT = new Set(['id', 'state']);

/** In the order of the table; `value` is what is sorted by. */
const COLUMNS = [
  { name: 'id', title: 'ID', value: ({ role, id }) => (role === 'agent' ? -1 : id), text: ({ role, id }) => (role === 'agent' ? 'agent' : `${role === 'spare' ? 'spare ' : ''}${id}`) },
  { name: 'state', title: 'STATE', value: ({ state }) => state, text: ({ state, isStuck }) => (isStuck ? 'stuck' : state) },
  { name: 'pid', title: 'PID', value: ({ pid }) => pid, text: ({ pid }) => String(pid ?? NONE) },
  { name: 'generation', title: 'GEN', value: ({ generation }) => generation, text: ({ generation }) => String(generation ?? NONE) },
  { name: 'uptime', title: 'UP', value: ({ uptimeMs }) => uptimeMs, text: ({ uptimeMs }) => span(uptimeMs) },
  { name: 'lag', title: 'LAG', value: ({ lagMs }) => lagMs, text: ({ lagMs }) => lag(lagMs) },
  { name: 'p99', title: 'P99', value: ({ lagP99Ms }) => lagP99Ms, text: ({ lagP99Ms }) => lag(lagP99Ms) },
  { name: 'cpu', title: 'CPU', value: ({ cpu }) => cpu, text: ({ cpu }) => percent(cpu) },
  { name: 'memory', title: 'MEM', value: ({ memory }) => memory, text: ({ memory }) => bytes(memory) },
  { name: 'heap', title: 'HEAP', value: ({ heap }) => heap, text: ({ heap }) => bytes(heap) },
  { name: 'connections', title: 'CONN', value: ({ connections }) => connections, text: ({ connections }) => amount(connections) },
  { name: 'inFlight', title: 'BUSY', value: ({ inFlight }) => inFlight, text: ({ inFlight }) => amount(inFlight) },
  { name: 'requests', title: 'REQS', value: ({ requests }) => requests, text: ({ requests }) => amount(requests) },
  { name: 'rate', title: 'REQ/S', value: ({ rate }) => rate, text: ({ rate }) => amount(rate) },
];

/** Those of which anything is known. */
function knownColumns(processes) {
  return COLUMNS.filter(({ name, value }) => name === 'id' || processes.some(found => value(found) !== undefined && value(found) !== null));
}

/**
 * @param {object[]} processes see allProcesses
 * @param {object[]} columns of COLUMNS
 * @param {number} [width] columns are left out from the right until the rest fits
 * @returns {{ columns: object[], head: string, rows: string[] }}
 */
function table(processes, columns, width = Infinity) {
  const cells = processes.map(found => columns.map(({ text }) => text(found)));
  const widths = columns.map(({ title }, place) => Math.max(title.length, ...cells.map(row => row[place].length)));
  let count = columns.length;
  const total = () => widths.slice(0, count).reduce((sum, one) => sum + one + 2, 0);
  while (count > 2 && total() > width) count -= 1;
  const line = row => row.slice(0, count)
    .map((cell, place) => (LEFT.has(columns[place].name) ? cell.padEnd(widths[place]) : cell.padStart(widths[place]))).join('  ').trimEnd();
  return { columns: columns.slice(0, count), head: line(columns.map(({ title }) => title)), rows: cells.map(line) };
}

module.exports = { COLUMNS, knownColumns, table };
