'use strict';

// Asks the cluster once a second, listens to what happens, and has it drawn.

const { conditionOf } = require('../../../lib/cli/facts');
const { emptyHistory, seriesOf, totalRates, withStatus } = require('../../../lib/cli/top/history');
const { amount } = require('../../../lib/cli/units');
const { drawActions, drawHappenings, drawPicture, drawProcesses, setText } = require('./draw');
const { SENTENCES, sentenceOf, withHappening } = require('./happenings');
const { GHOST_MS, picture } = require('./picture');

const LOOK_EVERY_MS = 1000;
const ACTIONS_SHOWN = 20;
const WORDS = {
  ready: 'ready', degraded: 'degraded: fewer serve than should', reloading: 'reloading', starting: 'starting', leaving: 'leaving: it serves on for a while',
  stopping: 'stopping',
};

const byId = id => document.getElementById(id);

let history = emptyHistory();
let happenings = [];
let dead = [];
let counted = 0;
let paused = false;
let timer = null;

function note(sentence) {
  counted += 1;
  happenings = withHappening(happenings, { ...sentence, number: counted, at: new Date() });
  drawHappenings(byId('happenings'), happenings);
}

function lost() {
  setText(byId('condition'), 'does not answer');
}

function draw() {
  const sample = history.samples.at(-1);
  if (!sample) return;
  const { status, processes, actions } = sample;
  const condition = conditionOf(status);
  const rate = totalRates(history).at(-1);
  setText(byId('condition'), `${WORDS[condition]} · ${status.serving} of ${status.target} serve`);
  setText(byId('where'), [status.address, `master process ${status.pid}`].filter(Boolean).join(' · '));
  setText(byId('totals'), [
    `${amount(Math.round(rate))} requests a second`,
    `${amount(Math.round(actions.reduce((sum, { sendRate = 0 }) => sum + sendRate, 0)))} messages a second`,
    ...(status.droppedMessages ? [`${amount(status.droppedMessages)} messages dropped`] : []),
  ].join(' · '));
  document.title = `${status.serving}/${status.target} ${condition} – egg-clutch`;
  drawPicture(byId('picture'), picture(processes, dead, performance.now()));
  drawActions(byId('actions'), actions.slice(0, ACTIONS_SHOWN));
  const left = actions.length - ACTIONS_SHOWN;
  setText(byId('actions-left'), left > 0 ? `and ${left} more, see /status` : '');
  drawProcesses(byId('processes'), processes, (found, fact) => seriesOf(history, found, fact));
}

async function look() {
  try {
    const answer = await fetch('/status', { cache: 'no-store' });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    history = withStatus(history, performance.now(), await answer.json());
    dead = dead.filter(({ atMs }) => performance.now() - atMs < GHOST_MS);
    draw();
  } catch {
    lost();
  }
}

function next() {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    if (!paused && !document.hidden) await look();
    next();
  }, LOOK_EVERY_MS);
}

/** Who has died was in the last status, or in one before; it is shown for a moment where it stood. */
function bury({ id, pid, slot }, role) {
  const { samples } = history;
  const found = samples.flatMap(({ processes }) => processes).reverse().find(process => process.pid === pid);
  dead.push({ atMs: performance.now(), found: found ?? { role, key: role === 'agent' ? 'agent' : id, id, pid, slot } });
}

function listen() {
  const events = new EventSource('/events');
  for (const name of Object.keys(SENTENCES)) {
    events.addEventListener(name, ({ data }) => {
      const facts = JSON.parse(data);
      note(sentenceOf(name, facts));
      if (name === 'worker-exited') bury(facts, 'app');
      if (name === 'agent-exited') bury(facts, 'agent');
      if (!paused) look();
    });
  }
}

byId('pause').addEventListener('click', () => {
  paused = !paused;
  byId('pause').setAttribute('aria-pressed', String(paused));
  document.body.classList.toggle('paused', paused);
  if (!paused) look();
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && !paused) look();
});

listen();
look().then(next);
