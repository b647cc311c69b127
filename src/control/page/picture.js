'use strict';

// Where everybody stands in the picture: the agent in the middle, the workers on a ring around it, each at the place of its slot. Pure.

const { amount, bytes, percent } = require('../../../lib/cli/units');

const RING = 150;
const OUTSIDE = 215;
const LARGEST = 34;
const LEAST = 5;
const GHOST_MS = 6000;
// How far the messages of both ways are from the tie between them.
const BESIDE = 4;
// Arcs end short of a whole turn: one from a point to itself is none.
const WHOLE = 0.9999;

/** A point at this share of the turn, from the top, clockwise. */
function onCircle(radius, turn) {
  const angle = 2 * Math.PI * turn;
  return { x: radius * Math.sin(angle), y: -radius * Math.cos(angle) };
}

/** The path of an arc around 0/0 from the top, clockwise; `share` of the whole. */
function arc(radius, share) {
  const { x, y } = onCircle(radius, Math.min(WHOLE, share));
  return `M0 ${-radius}A${radius} ${radius} 0 ${share > 0.5 ? 1 : 0} 1 ${x.toFixed(2)} ${y.toFixed(2)}`;
}

/** How large a node is where so many stand on the ring. */
function sizeFor(count) {
  return Math.max(LEAST, Math.min(LARGEST, Math.PI * RING / Math.max(1, count) * 0.75));
}

/** In one sentence, for those who do not see the picture. */
function describe({ role, id, state, loop, rate, messageRate, memory }) {
  const name = role === 'agent' ? 'agent' : role === 'spare' ? `spare worker ${id}` : `worker ${id}`;
  const known = [
    ...(loop === undefined ? [] : [`${percent(loop)} busy`]),
    ...(rate === undefined ? [] : [`${amount(Math.round(rate))} requests a second`]),
    ...(messageRate > 0 ? [`${amount(Math.round(messageRate))} messages a second`] : []),
    ...(memory === undefined ? [] : [`${bytes(memory)} memory`]),
  ];
  return [`${name} ${state}`, ...known].join(', ');
}

/** More flow is faster and thicker, by orders of magnitude. */
function flowOf(rate = 0) {
  if (rate <= 0) return null;
  const strength = Math.min(4, Math.log10(1 + rate));
  return { width: 1.5 + strength, seconds: (2 / (1 + strength)).toFixed(2) };
}

/** Along the tie between the agent and a worker, on either side of it: what the worker receives, and what it sends. */
function messagesOf({ key, pid, sendRate, receiveRate, state }, { x, y }, size) {
  const length = Math.hypot(x, y);
  if (state === 'dead' || length < LARGEST + size) return [];
  const [along, across] = [{ x: x / length, y: y / length }, { x: -y / length * BESIDE, y: x / length * BESIDE }];
  const at = (distance, side) => ({ x: along.x * distance + across.x * side, y: along.y * distance + across.y * side });
  const [inner, outer] = [LARGEST, length - size];
  return [
    { key: `${key}-${pid}-in`, from: at(inner, 1), to: at(outer, 1), ...flowOf(receiveRate) },
    { key: `${key}-${pid}-out`, from: at(outer, -1), to: at(inner, -1), ...flowOf(sendRate) },
  ].filter(({ seconds }) => seconds);
}

function nodeOf(found, { x, y }, size, path) {
  const { key, pid, state, loop, rate, role, id } = found;
  return {
    key: `${key}-${pid}`, target: `process-${key}`, x, y, size, state, isDead: state === 'dead',
    label: role === 'agent' ? 'agent' : String(id), small: state === 'ready' ? '' : state, words: describe(found),
    load: loop > 0.005 ? arc(size + 4, loop) : null,
    flow: role === 'app' && path ? { ...path, ...flowOf(rate) } : null,
  };
}

/**
 * @param {object[]} processes of the last status
 * @param {{ found: object, atMs: number }[]} dead those that have just died
 * @param {number} nowMs
 * @returns {{ nodes: object[], ties: object[], messages: object[] }}
 */
function picture(processes, dead, nowMs) {
  const agent = processes.find(({ role }) => role === 'agent');
  const ghosts = dead.filter(({ atMs }) => nowMs - atMs < GHOST_MS).map(({ found }) => ({ ...found, state: 'dead' }));
  const others = [...ghosts.filter(({ role }) => role !== 'agent'), ...processes.filter(({ role }) => role !== 'agent')];
  const places = Math.max(1, ...others.map(({ slot }) => (slot ?? 0) + 1));
  const size = sizeFor(places);
  const taken = new Map();
  const messages = [];
  const nodes = others.map(found => {
    const turn = (found.slot ?? 0) / places;
    // Two of one slot, in a reload or after a death: the newer one stands further out.
    const depth = taken.get(found.slot) ?? 0;
    taken.set(found.slot, depth + 1);
    const point = onCircle(RING - size * 1.6 * (others.filter(({ slot }) => slot === found.slot).length - 1 - depth), turn);
    messages.push(...messagesOf(found, point, size));
    const flow = found.state === 'ready' ? { from: onCircle(OUTSIDE, turn), to: point } : null;
    return nodeOf(found, point, size, flow);
  });
  const middle = agent ?? ghosts.find(({ role }) => role === 'agent');
  const centre = middle ? [nodeOf(middle, { x: 0, y: 0 }, LARGEST, null)] : [];
  const ties = nodes.filter(({ isDead }) => !isDead).map(({ key, x, y }) => ({ key, x, y }));
  return { nodes: [...centre, ...nodes], ties, messages: middle ? messages : [] };
}

/** The path of a chart: 100 wide, 20 high; null where nothing is known. */
function chart(values, width = 100, height = 20, most = 120) {
  const known = values.filter(value => value !== undefined);
  if (known.length < 2) return null;
  const top = Math.max(...known) || 1;
  let isDown = false;
  return values.map((value, place) => {
    if (value === undefined) {
      isDown = false;
      return '';
    }
    const x = width - (values.length - 1 - place) * width / (most - 1);
    const step = `${isDown ? 'L' : 'M'}${x.toFixed(1)} ${(height - 1 - value / top * (height - 2)).toFixed(1)}`;
    isDown = true;
    return step;
  }).join('');
}

module.exports = { picture, chart, describe, arc, flowOf, sizeFor, GHOST_MS };
