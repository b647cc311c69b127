'use strict';

// The model on the page. Elements are kept from look to look, by key, so that focus, selection and animations survive.

const { amount, bytes, lag, percent, span } = require('../../../lib/cli/units');
const { chart } = require('./picture');

// The columns of the table of messages, behind the name of the action.
const ACTION_CELLS = [
  ({ sendRate }) => amount(sendRate), ({ sent }) => amount(sent), ({ received }) => amount(received), ({ bytes: all }) => bytes(all),
  ({ queued }) => amount(queued), ({ waitMs }) => lag(waitMs), ({ runMs }) => lag(runMs), ({ slow }) => amount(slow),
  ({ dropped }) => amount(dropped),
];
const SVG = 'http://www.w3.org/2000/svg';
const CHARTS = [
  ['loop', 'event loop', percent], ['lagMs', 'lag, ms', lag], ['cpu', 'processor', percent], ['memory', 'memory', bytes], ['rate', 'requests/s', amount],
  ['messageRate', 'messages/s', amount],
];

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function shape(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes, changes and removes the children of `parent` so that there is one for each of `items`, in their order. */
function keep(parent, items, make, change) {
  const before = new Map([...parent.children].map(child => [child.dataset.key, child]));
  items.forEach((item, place) => {
    let child = before.get(item.key);
    if (child) before.delete(item.key);
    else {
      child = make(item);
      child.dataset.key = item.key;
    }
    change(child, item);
    // To move an element takes its focus away: only what stands elsewhere is moved.
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
  });
  for (const gone of before.values()) gone.remove();
}

function makeNode({ target }) {
  const node = shape('a', { href: `#${target}` },
    shape('circle', { class: 'halo' }), shape('circle', { class: 'body' }), shape('path', { class: 'load' }), shape('path', { class: 'cross' }),
    shape('text', { 'class': 'name', 'aria-hidden': 'true' }), shape('text', { 'class': 'small', 'aria-hidden': 'true' }));
  node.addEventListener('click', event => {
    event.preventDefault();
    document.getElementById(target)?.focus();
  });
  return node;
}

function changeNode(node, { x, y, size, state, isDead, label, small, words, load }) {
  const [halo, body, arcOfLoad, cross, name, below] = node.children;
  node.setAttribute('transform', `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
  node.setAttribute('aria-label', words);
  halo.setAttribute('r', size + 8);
  body.setAttribute('r', size);
  body.setAttribute('class', `body ${state}`);
  arcOfLoad.setAttribute('d', load ?? '');
  const half = size / 2;
  cross.setAttribute('d', isDead ? `M${-half} ${-half} ${half} ${half}M${-half} ${half} ${half} ${-half}` : '');
  setText(name, size < 12 || isDead ? '' : label);
  // The blank parts it from the name for those who hear both.
  setText(below, size < 24 || isDead || !small ? '' : ` ${small}`);
  below.setAttribute('y', '14');
}

function layers(svg) {
  if (!svg.firstChild) for (const name of ['ties', 'messages', 'flows', 'nodes']) svg.append(shape('g', { 'data-layer': name }));
  return [...svg.children];
}

function changeFlow(path, { from, to, width, seconds }) {
  path.setAttribute('d', `M${from.x.toFixed(1)} ${from.y.toFixed(1)}L${to.x.toFixed(1)} ${to.y.toFixed(1)}`);
  path.style.setProperty('stroke-width', width.toFixed(1));
  path.style.setProperty('--pace', `${seconds}s`);
}

function drawPicture(svg, { nodes, ties, messages }) {
  const [tieLayer, messageLayer, flowLayer, nodeLayer] = layers(svg);
  keep(tieLayer, ties, () => shape('line', { class: 'tie', x1: 0, y1: 0 }), (line, { x, y }) => {
    line.setAttribute('x2', x.toFixed(1));
    line.setAttribute('y2', y.toFixed(1));
  });
  const flows = nodes.filter(({ flow }) => flow?.seconds);
  keep(messageLayer, messages, () => shape('path', { class: 'messages' }), changeFlow);
  keep(flowLayer, flows, () => shape('path', { class: 'requests' }), (path, { flow }) => changeFlow(path, flow));
  keep(nodeLayer, nodes, makeNode, changeNode);
}

function makeCard({ target }) {
  const box = { 'viewBox': '0 0 100 20', 'preserveAspectRatio': 'none', 'aria-hidden': 'true' };
  const rows = CHARTS.map(([fact, title]) => element('div', { 'data-fact': fact },
    element('dt', {}, title), element('dd'), element('dd', { class: 'chart' }, shape('svg', box, shape('path')))));
  return element('li', { id: target, tabindex: '-1' },
    element('h3', {}, element('span'), element('span', { class: 'state' })), element('dl', {}, ...rows), element('p', { class: 'facts' }));
}

function changeCard(card, { found, series }) {
  const [title, list, facts] = card.children;
  const { role, id, state, pid, generation, uptimeMs, connections, inFlight, failed, requests } = found;
  card.className = state;
  setText(title.children[0], role === 'agent' ? 'agent' : `${role === 'spare' ? 'spare ' : ''}worker ${id}`);
  setText(title.children[1], state);
  for (const row of list.children) {
    const [fact, , show] = CHARTS.find(([name]) => name === row.dataset.fact);
    row.hidden = role === 'agent' && fact === 'rate';
    setText(row.children[1], show(found[fact]));
    row.querySelector('path').setAttribute('d', chart(series[fact]) ?? '');
  }
  const known = [
    `process ${pid ?? 'none yet'}`, `generation ${generation}`, ...(uptimeMs === undefined ? [] : [`up ${span(uptimeMs)}`]),
    ...(connections === undefined ? [] : [`${connections} connections`]), ...(inFlight === undefined ? [] : [`${inFlight} in hand`]),
    ...(requests === undefined ? [] : [`${amount(requests)} requests`]), ...(failed ? [`${amount(failed)} failed`] : []),
  ];
  setText(facts, known.join(' · '));
}

function drawProcesses(list, processes, seriesFor) {
  const items = processes.map(found => ({
    key: `${found.key}-${found.pid}`, target: `process-${found.key}`, found,
    series: Object.fromEntries(CHARTS.map(([fact]) => [fact, seriesFor(found, fact)])),
  }));
  keep(list, items, makeCard, changeCard);
}

/** @param {HTMLTableSectionElement} body */
function drawActions(body, actions) {
  const make = ({ action }) => element('tr', {}, element('th', { scope: 'row' }, action), ...ACTION_CELLS.map(() => element('td')));
  keep(body, actions.map(found => ({ key: found.action, ...found })), make, (row, found) => {
    ACTION_CELLS.forEach((show, place) => setText(row.children[place + 1], show(found)));
  });
}

function drawHappenings(list, happenings) {
  const items = happenings.map(happening => ({ ...happening, key: String(happening.number) }));
  const make = ({ text, isBad, at }) => {
    const time = element('time', { datetime: at.toISOString() }, at.toTimeString().slice(0, 8));
    return element('li', isBad ? { class: 'bad' } : {}, time, text);
  };
  keep(list, items, make, () => {});
}

module.exports = { drawPicture, drawProcesses, drawActions, drawHappenings, setText };
