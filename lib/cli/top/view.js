'use strict';

// What is selected, sorted and asked on the screen of `top`, and what a key makes of it. Pure: a new view for each key, and at most one
// effect.

const { COLUMNS } = require('../columns');

const KEYS = [
  ['up, down', 'select a process'],
  ['left, right', 'sort by another column'],
  ['o', 'the other order'],
  ['r', 'restart the selected process'],
  ['i', 'isolate the selected worker: it gets no more connections'],
  ['j', 'let it join again'],
  ['s', 'its JavaScript stack'],
  ['R', 'reload all workers'],
  ['h, ?', 'this page'],
  ['q, Ctrl-C', 'leave'],
];
const KEYS_PAGE = { title: 'Keys', lines: KEYS.map(([keys, means]) => `${keys.padEnd(12)} ${means}`), from: 0 };

const ACTIONS = {
  r: { order: 'restart', asks: 'Restart', agent: true },
  i: { order: 'isolate', asks: 'Isolate' },
  j: { order: 'rejoin', asks: 'Give connections again to' },
};

/**
 * @typedef {object} View
 * @property {string | number | null} selected the key of a process
 * @property {string} sort the name of a column
 * @property {boolean} descending
 * @property {{ question: string, effect: object } | null} asking
 * @property {{ title: string, lines: string[], from: number } | null} page what lies over the table
 * @property {string} said one line: what became of the last order
 */

/** @returns {View} */
function firstView() {
  return { selected: null, sort: 'id', descending: false, asking: null, page: null, said: '' };
}

function sorted(processes, { sort, descending }) {
  const { value } = COLUMNS.find(({ name }) => name === sort);
  const rank = found => value(found) ?? -Infinity;
  const ordered = [...processes].sort((a, b) => {
    const [x, y] = [rank(a), rank(b)];
    return x < y ? -1 : x > y ? 1 : 0;
  });
  return descending ? ordered.reverse() : ordered;
}

/** The selected process; where it has gone, the first. */
function selectedOf(processes, { selected }) {
  return processes.find(({ key }) => key === selected) ?? processes[0];
}

function nameOf({ role, id }) {
  return role === 'agent' ? 'the agent' : `worker ${id}`;
}

function move(view, processes, by) {
  const at = processes.findIndex(({ key }) => key === view.selected);
  const to = Math.min(processes.length - 1, Math.max(0, (at < 0 ? 0 : at) + by));
  return { ...view, selected: processes[to]?.key ?? null };
}

function sortBy(view, columns, by) {
  const at = columns.findIndex(({ name }) => name === view.sort);
  const to = Math.min(columns.length - 1, Math.max(0, at + by));
  // Of figures the largest are looked for, of names the first.
  return { ...view, sort: columns[to].name, descending: !['id', 'state', 'pid'].includes(columns[to].name) };
}

function ask(view, question, effect) {
  return { view: { ...view, asking: { question, effect }, said: '' } };
}

function act(view, key, found) {
  const { order, asks, agent = false } = ACTIONS[key];
  if (!found) return { view };
  if (found.role === 'agent' && !agent) return { view: { ...view, said: `${order} is for workers, not for the agent` } };
  return ask(view, `${asks} ${nameOf(found)}?`, { order, body: { id: found.key }, name: `${order} ${found.key}` });
}

/** Looking changes nothing, so it asks nothing. */
function showStack(view, { key }) {
  const name = `stack ${key}`;
  return { view: { ...view, said: `${name} …` }, effect: { order: 'stack', body: { id: key }, name } };
}

function answered(view, key) {
  const { effect } = view.asking;
  const rest = { ...view, asking: null };
  return key === 'y' || key === 'Y' ? { view: { ...rest, said: `${effect.name} …` }, effect } : { view: { ...rest, said: 'nothing done' } };
}

function turnPage(view, key) {
  const { page } = view;
  const by = { up: -1, down: 1, pageup: -10, pagedown: 10 }[key];
  if (!by) return { view: { ...view, page: null } };
  return { view: { ...view, page: { ...page, from: Math.max(0, Math.min(page.lines.length - 1, page.from + by)) } } };
}

/**
 * @param {View} view
 * @param {string} key as terminal.js names it
 * @param {object[]} processes as they are shown
 * @param {object[]} columns as they are shown
 * @returns {{ view: View, effect?: { order: string, body: object, name: string } | 'quit' | 'suspend' }}
 */
function press(view, key, processes, columns) {
  if (key === 'interrupt') return { view, effect: 'quit' };
  if (key === 'suspend') return { view, effect: 'suspend' };
  if (view.asking) return answered(view, key);
  if (view.page) return turnPage(view, key);
  const found = selectedOf(processes, view);
  switch (key) {
    case 'q': return { view, effect: 'quit' };
    case 'up': return { view: move(view, processes, -1) };
    case 'down': return { view: move(view, processes, 1) };
    case 'left': return { view: sortBy(view, columns, -1) };
    case 'right': return { view: sortBy(view, columns, 1) };
    case 'o': return { view: { ...view, descending: !view.descending } };
    case 'r': case 'i': case 'j': return act(view, key, found);
    case 's': return found ? showStack(view, found) : { view };
    case 'R': return ask(view, 'Reload all workers?', { order: 'reload', body: {}, name: 'reload' });
    case 'h': case '?': return { view: { ...view, page: KEYS_PAGE } };
    default: return { view };
  }
}

module.exports = { firstView, press, sorted, selectedOf, nameOf };
