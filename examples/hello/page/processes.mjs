// The cards of agent and workers, the choice of senders and receivers, and the message that goes round.

import { age, byId, make, nameOf, remember, setData, setText, tint } from './dom.mjs';

const HOP_MS = 130;
const list = byId('processes');
const cards = new Map(); // 'agent' or place → card
const calm = matchMedia('(prefers-reduced-motion: reduce)');

let skew = 0; // the server's clock less ours
let roster = { agent: null, workers: [], deaths: [] };

/** @param {{onCrash: Function, onKill: Function}} actions what the buttons of the cards do */
export function drawProcesses(next, actions) {
  roster = next;
  remember(roster.agent && { ...roster.agent, role: 'agent' });
  roster.workers.forEach(remember);

  const agent = take('agent', actions.onKill);
  fillAgent(agent, roster.agent);
  const wanted = new Set(['agent']);
  for (const [place, worker] of occupants()) {
    wanted.add(place);
    fillWorker(take(place, actions.onCrash), worker, place);
  }
  for (const [key, card] of cards) {
    if (wanted.has(key)) continue;
    card.item.remove();
    cards.delete(key);
  }
  const serving = roster.workers.filter(worker => !worker.dying);
  setText(byId('worker-count'), serving.length === 1 ? '1 worker' : `${serving.length} workers`);
  drawChoices(serving);
  tick();
}

/** Who sits in which place. A dying worker keeps its place until its heir is there. */
function occupants() {
  const places = new Map();
  for (const death of roster.deaths) {
    if (death.heir === null && death.place !== null) places.set(death.place, { ...death, vacant: true });
  }
  for (const worker of roster.workers) {
    const other = places.get(worker.place);
    if (!other || other.vacant || other.dying) places.set(worker.place, worker);
  }
  return [...places].sort(([a], [b]) => a - b);
}

function take(key, onPress) {
  if (cards.has(key)) return cards.get(key);
  const card = {
    item: make('li', { class: 'process', 'data-role': key === 'agent' ? 'agent' : 'app' }),
    name: make('strong'),
    pid: make('span', { class: 'pid' }),
    age: make('span', { class: 'age' }),
    button: make('button', { type: 'button' }),
  };
  card.item.append(make('div', {}, card.name, card.pid, card.age), card.button);
  // A button that is disabled while it has the focus drops it; this one stays and does nothing.
  card.button.addEventListener('click', () => {
    if (card.button.getAttribute('aria-disabled') !== 'true') onPress(Number(card.item.dataset.pid));
  });
  cards.set(key, card);
  const after = [...cards.keys()].filter(other => other !== 'agent' && key !== 'agent' && other > key);
  list.insertBefore(card.item, after.length > 0 ? cards.get(Math.min(...after)).item : null);
  return card;
}

function fillAgent(card, agent) {
  setText(card.name, 'agent');
  if (agent) {
    setData(card.item, 'pid', agent.pid);
    card.bornAt = agent.bornAt;
    setText(card.pid, `pid ${agent.pid}`);
  }
  setState(card, agent ? 'alive' : 'gone', 'Kill', `Kill the agent, pid ${card.item.dataset.pid}`);
}

function fillWorker(card, worker, place) {
  tint(card.item, place);
  setText(card.name, nameOf(worker));
  setText(card.pid, `pid ${worker.pid}`);
  if (card.item.dataset.pid && card.item.dataset.pid !== String(worker.pid)) greet(card.item);
  setData(card.item, 'pid', worker.pid);
  setData(card.item, 'place', place);
  card.bornAt = worker.bornAt;
  const state = worker.vacant || worker.dying ? 'gone' : 'alive';
  setState(card, state, 'Crash', `Crash ${nameOf(worker)}, pid ${worker.pid}`);
}

function setState(card, state, verb, label) {
  setData(card.item, 'state', state);
  setText(card.button, verb);
  card.button.setAttribute('aria-label', label);
  if (state === 'alive') card.button.removeAttribute('aria-disabled');
  else card.button.setAttribute('aria-disabled', 'true');
}

/** Keeps what was chosen as long as it is still alive. */
function drawChoices(serving) {
  const agent = roster.agent ? [[String(roster.agent.pid), `the agent, pid ${roster.agent.pid}`]] : [];
  const workers = serving.map(worker => [String(worker.pid), `${nameOf(worker)}, pid ${worker.pid}`]);
  fillSelect(byId('from'), [['', 'whoever answers'], ...agent, ...workers]);
  fillSelect(byId('to'), [...workers, ...agent]);
}

function fillSelect(select, choices) {
  const mark = JSON.stringify(choices);
  if (select.dataset.choices === mark) return; // an open menu would close
  const chosen = select.value;
  select.replaceChildren(...choices.map(([value, text]) => make('option', { value, text })));
  if (choices.some(([value]) => value === chosen)) select.value = chosen;
  select.dataset.choices = mark;
}

export function setClock(serverNow) {
  skew = serverNow - Date.now();
}

/** Once a second: how old everybody is. */
export function tick() {
  const now = Date.now() + skew;
  for (const card of cards.values()) {
    setText(card.age, card.item.dataset.state === 'alive' ? `alive for ${age(now - card.bornAt)}` : 'gone; the next one is starting');
  }
}

function cardOf(pid) {
  return [...cards.values()].find(card => card.item.dataset.pid === String(pid));
}

/** A process heard a message. */
export function flash(pid, delay = 0) {
  const card = cardOf(pid);
  if (!card || calm.matches) return;
  card.item.animate(
    [{ boxShadow: '0 0 0 0 var(--mark)' }, { boxShadow: '0 0 0 4px var(--mark)', offset: 0.25 }, { boxShadow: '0 0 0 0 transparent' }],
    { duration: 520, delay, easing: 'ease-out' },
  );
}

function greet(item) {
  if (calm.matches) return;
  item.animate([{ transform: 'scale(.94)', opacity: 0.4 }, { transform: 'none', opacity: 1 }], { duration: 350, easing: 'ease-out' });
}

/** Replays a round slowly enough to be seen: the real one takes about a millisecond. */
export function drawRound({ number, path, micros, lost }) {
  const names = path.map(pid => nameOf({ pid }).replace('worker ', ''));
  const route = `agent → ${names.join(' → ')} → agent`;
  byId('round').dataset.number = number;
  if (lost) {
    setText(byId('round'), `Round ${number}: ${route} never came back. Whoever held it took it along.`);
    return;
  }
  setText(byId('round'), `Round ${number}: ${route} in ${(micros / 1000).toFixed(2)} ms`);
  const stations = [roster.agent?.pid, ...path, roster.agent?.pid];
  stations.forEach((pid, i) => flash(pid, i * HOP_MS));
}
