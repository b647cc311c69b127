// Deaths and successions, newest first. The agent remembers those of the workers, the workers those of the agent;
// the page keeps what it has seen, as a new agent knows nothing of the past.

import { byId, chip, clock, duration, make, setData } from './dom.mjs';

const SHOWN = 20;
const list = byId('history');
const entries = new Map(); // key → { at, item, mark }

export function drawHistory({ deaths = [], absences = [] }) {
  for (const death of deaths) {
    const dead = { role: 'app', pid: death.pid, id: death.id, place: death.place };
    const heir = death.heir && { role: 'app', pid: death.heir, id: death.heirId, place: death.place };
    put(death, dead, heir, death.why);
  }
  for (const absence of absences) {
    const heir = absence.heir && { role: 'agent', pid: absence.heir };
    put(absence, { role: 'agent', pid: absence.pid }, heir, 'is gone');
  }
  byId('history-empty').hidden = entries.size > 0;
}

function put({ key, at, took }, dead, heir, why) {
  const mark = JSON.stringify([dead, heir, took]);
  const known = entries.get(key);
  if (known?.mark === mark) return;

  const item = known?.item || make('li');
  setData(item, 'pid', dead.pid);
  item.replaceChildren(
    make('time', { datetime: new Date(at).toISOString(), text: clock(at) }),
    make('span', {}, ...sentence(dead, heir, why, took)),
  );
  if (heir) setData(item, 'heir', heir.pid);
  if (!known) insert({ key, at, item });
  entries.set(key, { at, item, mark });
}

function sentence(dead, heir, why, took) {
  const start = [chip(dead), ` pid ${dead.pid} ${why}; `];
  if (!heir) return [...start, 'the next one is starting…'];
  return [...start, chip(heir), ` pid ${heir.pid} took over after `, make('strong', { text: duration(took) }), '.'];
}

function insert({ at, item }) {
  const later = [...entries.values()].filter(entry => entry.at > at).sort((a, b) => a.at - b.at)[0];
  if (later) later.item.after(item);
  else list.prepend(item);
  if (entries.size < SHOWN) return;
  const [oldest] = [...entries].sort(([, a], [, b]) => a.at - b.at)[0];
  entries.get(oldest).item.remove();
  entries.delete(oldest);
}
