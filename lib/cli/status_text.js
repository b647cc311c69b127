'use strict';

// A status for people. Pure.

const { knownColumns, table } = require('./columns');
const { allProcesses, conditionOf } = require('./facts');
const { visible } = require('./visible');

const COLOURS = { ready: 'green', degraded: 'red', reloading: 'cyan', starting: 'yellow', isolated: 'yellow' };

function colourOf(word) {
  return COLOURS[word] ?? 'yellow';
}

/** One line about all of it. */
function headline(status, paint) {
  const { pid, address, serving, target, spares = [], droppedMessages } = status;
  const condition = conditionOf(status);
  return [
    paint(colourOf(condition), condition),
    `${serving} of ${target} serve`,
    ...(spares.length ? [`${spares.length} spare`] : []),
    ...(address ? [address] : []),
    `master ${pid}`,
    ...(droppedMessages ? [paint('red', `${droppedMessages} messages dropped`)] : []),
  ].join(' · ');
}

function deathLine({ role, slot, id, words, phase }, paint) {
  const who = role === 'agent' ? 'agent' : `worker ${id}${slot === null || slot === undefined ? '' : ` in place ${slot}`}`;
  return `  ${paint('dim', who)} ${visible(words)}${phase === 'boot' ? ' (while it booted)' : ''}`;
}

/** @param {object} status of the control socket @param {(colour: string, text: string) => string} paint */
function statusText(status, paint) {
  const processes = allProcesses(status);
  const { head, rows } = table(processes, knownColumns(processes));
  const deaths = (status.lastDeaths ?? []).filter(({ kind }) => kind !== 'asked');
  const painted = rows.map((row, place) => {
    const { state } = processes[place];
    return state === 'ready' ? row : paint(colourOf(state), row);
  });
  return [
    headline(status, paint), '',
    paint('dim', head), ...painted,
    ...(deaths.length ? ['', 'The last death of each place that has had one:', ...deaths.map(death => deathLine(death, paint))] : []),
    '',
  ].join('\n');
}

module.exports = { statusText, headline, colourOf };
