// Joins the parts: one event stream in, a few POSTs out.

import { byId, nameOf, remember, setText } from './dom.mjs';
import { drawProcesses, drawRound, setClock, tick } from './processes.mjs';
import { drawHistory } from './history.mjs';
import { drawTally, startAsking } from './answers.mjs';
import { drawNote, post, startSending } from './notes.mjs';

const actions = {
  onCrash: pid => post('crash', { pid }),
  onKill: () => post('kill-agent', {}),
};

let roster = { agent: null, workers: [], deaths: [] };

function drawRoster(next) {
  roster = next;
  drawProcesses(roster, actions);
  drawTally(roster.workers);
  drawHistory(roster);
}

function setLink(state, text) {
  byId('link').dataset.state = state;
  setText(byId('link'), text);
}

function watch() {
  const events = new EventSource('events');
  const on = (name, listener) => events.addEventListener(name, event => listener(JSON.parse(event.data)));

  on('hello', ({ me, now, agent, workers, deaths, absences, notes, round }) => {
    setClock(now);
    remember(me);
    setLink('live', `live through ${nameOf(me)}`);
    // A worker that has just started hears of the others a moment later; until then we know better.
    if (workers.length > 0) drawRoster({ agent, workers, deaths });
    drawHistory({ absences });
    notes.forEach(note => drawNote(note, true));
    if (round) drawRound(round);
  });
  on('roster', drawRoster);
  on('absence', absence => {
    if (absence.heir === null) drawRoster({ ...roster, agent: null });
    drawHistory({ absences: [absence] });
  });
  on('note', note => drawNote(note));
  on('round', drawRound);

  events.addEventListener('error', () => {
    setLink('waiting', 'looking for another worker…');
    // The browser retries by itself, unless the answer was not an event stream (a full worker, say).
    if (events.readyState === EventSource.CLOSED) setTimeout(watch, 1000);
  });
}

setText(byId('whoami-url'), new URL('whoami', location.href).href);
setInterval(tick, 1000);
startSending();
startAsking();
watch();
