'use strict';

// The help, from the table of verbs. Pure.

const { NODE_FLAGS } = require('./flags');
const { VERBS } = require('./verbs');

const GROUPS = [
  ['Run', ['start', 'stop', 'reload', 'upgrade']],
  ['Look', ['status', 'top', 'logs', 'stack']],
  ['Steer', ['scale', 'restart', 'isolate', 'rejoin']],
  ['Try', ['soak-reload']],
  ['Learn', ['help', 'completion']],
];

const FINDING = [
  'The cluster is the one whose control socket is run/clutch.sock below this folder. baseDir (or --base-dir) names another folder,',
  '--control another socket, --pid-file the pid file of its master. Nobody is guessed from the list of processes.',
];

const EXIT_CODES = 'Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such cluster.';

/** Breaks a text into lines of at most `width` columns. */
function wrap(text, width = 100) {
  const lines = [];
  for (const word of text.split(' ')) {
    if (lines.length && lines.at(-1).length + 1 + word.length <= width) lines[lines.length - 1] += ` ${word}`;
    else lines.push(word);
  }
  return lines;
}

function columns(rows, indent = '  ') {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${indent}${left.padEnd(width)}${right ? `   ${right}` : ''}`.trimEnd());
}

function usageOf(verb, { operands = [], flags }) {
  const shown = operands.map(name => (name.startsWith('[') ? name : `<${name}>`));
  return ['egg-clutch', verb, ...shown, ...(Object.keys(flags).length ? ['[flags]'] : [])].join(' ');
}

function flagRows(flags) {
  return Object.entries(flags).map(([name, { short, other = [], value, about }]) => {
    const names = [...(short ? [`-${short}`] : []), ...[name, ...other].map(long => `--${long}`)].join(', ');
    return [value ? `${names} ${value}` : names, about];
  });
}

function overview() {
  const groups = GROUPS.map(([title, names]) => [title, names.filter(name => VERBS[name])]);
  const width = Math.max(...Object.entries(VERBS).map(([name, verb]) => usageOf(name, { ...verb, flags: {} }).length - 'egg-clutch '.length));
  return [
    'egg-clutch: starts, shows and steers the cluster of an egg-style app', '',
    'Usage: egg-clutch <command> [flags]', '',
    ...groups.flatMap(([title, names]) => [
      `${title}`,
      ...names.map(name => `  ${usageOf(name, { ...VERBS[name], flags: {} }).slice('egg-clutch '.length).padEnd(width)}   ${VERBS[name].about}`),
      '',
    ]),
    ...FINDING, '',
    '`egg-clutch help <command>` says more, with examples. --json prints JSON wherever there is something to read.',
    EXIT_CODES, '',
  ].join('\n');
}

function helpOf(verb) {
  const description = VERBS[verb];
  const { about, flags, teaches, examples } = description;
  const rows = flagRows(flags);
  return [
    `Usage: ${usageOf(verb, description)}`, '',
    `${about[0].toUpperCase()}${about.slice(1)}.`,
    ...teaches.flatMap(text => ['', ...wrap(text)]), '',
    ...(rows.length ? ['Flags', ...columns(rows), ''] : []),
    ...(verb === 'start' ? ['Handed on to node', ...columns(NODE_FLAGS), ''] : []),
    ...(examples.length ? ['Examples', ...columns(examples), ''] : []),
    ...(flags['base-dir'] ? [...FINDING, ''] : []),
    EXIT_CODES, '',
  ].join('\n');
}

/** @param {string} [verb] @returns {string} */
function helpText(verb) {
  return verb === undefined ? overview() : helpOf(verb);
}

module.exports = { helpText };
