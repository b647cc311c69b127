// Asks /whoami once a second and shows who answered. Nothing is asked while nobody looks at the page.

import { byId, make, nameOf, placeOf, remember, setText, tint } from './dom.mjs';

const EVERY_MS = 1000;
const SHOWN = 60;
const BURST = 40;
const PATIENCE_MS = 5000;

const strip = byId('answers');
const tallyList = byId('tally');
const counts = new Map(); // pid → answers
const rows = new Map(); //   pid → row of the tally
let alive = [];
let paused = false;

async function ask() {
  try {
    const response = await fetch('whoami', { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const worker = await response.json();
    remember({ role: 'app', pid: worker.pid, id: worker.id, ...(worker.place === null ? {} : { place: worker.place }) });
    counts.set(worker.pid, (counts.get(worker.pid) || 0) + 1);
    addMark(worker);
  } catch {
    addMark(null);
  }
  drawTally(alive);
}

function addMark(worker) {
  const mark = worker
    ? make('li', { 'data-pid': worker.pid, title: `${nameOf(worker)}, pid ${worker.pid}`, text: String(worker.id) })
    : make('li', { class: 'none', title: 'no answer', text: '×' });
  if (worker) tint(mark, placeOf(worker));
  strip.append(mark);
  while (strip.children.length > SHOWN) strip.firstChild.remove();
}

/** One bar per living worker. */
export function drawTally(workers) {
  alive = workers;
  const most = Math.max(1, ...workers.map(worker => counts.get(worker.pid) || 0));
  for (const [pid, row] of rows) {
    if (workers.some(worker => worker.pid === pid)) continue;
    row.item.remove();
    rows.delete(pid);
  }
  for (const worker of workers) {
    const row = rows.get(worker.pid) || addRow(worker);
    const count = counts.get(worker.pid) || 0;
    setText(row.count, String(count));
    row.bar.style.setProperty('--share', count / most);
    tallyList.append(row.item); // in the order of the places
  }
}

function addRow(worker) {
  const row = { bar: make('span', { class: 'bar' }), count: make('span', { class: 'count' }) };
  row.item = make('li', { 'data-pid': worker.pid }, make('span', { text: nameOf(worker) }), row.bar, row.count);
  tint(row.item, worker.place);
  rows.set(worker.pid, row);
  return row;
}

export function startAsking() {
  let asking = false;
  setInterval(async () => {
    if (asking || paused || document.hidden) return;
    asking = true;
    await ask();
    asking = false;
  }, EVERY_MS);
  ask();

  byId('burst').addEventListener('click', () => {
    for (let i = 0; i < BURST; i++) ask();
  });
  byId('pause').addEventListener('click', event => {
    paused = !paused;
    event.currentTarget.setAttribute('aria-pressed', String(paused));
  });
}
