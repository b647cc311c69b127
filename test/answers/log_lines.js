'use strict';

// What a cluster printed or wrote to a log, by who said it. Several processes write at the same time, so only the order of one
// speaker's entries means anything.

const TIMES = [
  [/\(\d+ms\)/g, '(<ms>)'],
  [/(dump config after \w+), \d+ms/g, '$1, <ms>'],
  [/(\/-\/)[\d.]+ms /g, '$1<ms> '],
  [/(free|heap_used) \d+/g, '$1 <bytes>'],
  [/(A client \([\w:.]+):\d+\)/g, '$1:<port>)'],
];
const BEGINNING = /^\[?\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[,.]\d{3}\]? ?/;

/** The texts of all entries; a line without a time of its own belongs to the one before it. */
function entriesOf(text) {
  const entries = [];
  for (const line of text.split('\n')) {
    if (BEGINNING.test(line) || line.startsWith('[shop]')) entries.push(line.replace(BEGINNING, ''));
    else if (line !== '') entries.push(`${entries.pop() ?? ''}\n${line}`);
  }
  return entries.map(entry => TIMES.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), entry));
}

/** Who says it; the master speaks of each app when it happens to hear of it. */
function speakerOf(entry) {
  const [head] = entry.split('\n');
  const names = [...head.matchAll(/<(master|agent|app \d+) pid>/g)].map(([, name]) => name);
  return [...new Set(names)].join(' of ') || 'somebody';
}

/** { speaker: entries }, from normalised text. */
function bySpeaker(text) {
  const speakers = {};
  for (const entry of entriesOf(text)) (speakers[speakerOf(entry)] ??= []).push(entry);
  return speakers;
}

module.exports = { entriesOf, bySpeaker };
