'use strict';

// What can be said on the command line: one table for parsing, help and completion. No verb is loaded by reading it.

const { FIND, JSON_FLAG, TIMEOUT, START } = require('./flags');

const STEER = { ...FIND, ...TIMEOUT, ...JSON_FLAG };

/**
 * @typedef {object} Verb
 * @property {string} about one line
 * @property {string[]} [operands] names; one in square brackets may be left out
 * @property {Record<string, object>} flags
 * @property {string[]} teaches paragraphs of the help
 * @property {[string, string][]} examples what to type, and what that does
 * @property {() => (command: object, io: object) => Promise<number | void>} load
 */

/** @type {Record<string, Verb>} */
const VERBS = {
  'start': {
    about: 'start the cluster of an app',
    operands: ['[baseDir]'],
    flags: { ...START, ...JSON_FLAG },
    teaches: [
      'Without --daemon it stays in the foreground, hands signals on to the master, and ends with its exit code. With --daemon it waits ' +
      'until all workers serve, says where, and ends; an app that does not get ready, or that writes to stderr meanwhile, has failed to start. ' +
      'A second daemon in one folder needs a --control of its own.',
      'The flags are those of egg-scripts start. What package.json has under eggScriptsConfig, egg.typescript and egg.revert counts, too.',
    ],
    examples: [
      ['egg-clutch start', 'the app in this folder'],
      ['egg-clutch start ./server --daemon --workers 4 --port 7001', 'in the background, with four workers'],
      ["egg-clutch start -o 'recycle={\"memory\":\"512mb\"}' -o spare=1", 'with further options of startCluster'],
      ["egg-clutch start -o 'sticky={\"by\":{\"cookie\":\"sid\"}}'", 'each session to one worker, by its cookie'],
    ],
    load: () => require('./verbs/start').start,
  },
  'stop': {
    about: 'stop the cluster, and wait until it is gone',
    operands: ['[baseDir]'],
    flags: { ...FIND, timeout: { ...TIMEOUT.timeout, about: 'how long to wait for its end (default: 60s)' }, ...JSON_FLAG },
    teaches: [
      'Workers answer what they have in hand, then leave, then the agent, then the master. Where no control socket answers, the process that ' +
      'the pid file names gets SIGTERM; a pid file that is older than that process names somebody else, and nobody is stopped.',
    ],
    examples: [['egg-clutch stop', 'the cluster of this folder'], ['egg-clutch stop --pid-file /run/shop.pid', 'the one of this pid file']],
    load: () => require('./verbs/stop').stop,
  },
  'status': {
    about: 'what the cluster is doing',
    operands: ['[baseDir]'],
    flags: { ...FIND, ...JSON_FLAG },
    teaches: ['It is answered outside of JavaScript: also by a cluster in which every worker stands still.'],
    examples: [['egg-clutch status', 'a table'], ['egg-clutch status --json | jq .serving', 'how many workers serve']],
    load: () => require('./verbs/status').status,
  },
  'top': {
    about: 'the cluster as a live screen: sort, select a worker, act on it',
    operands: ['[baseDir]'],
    flags: { ...FIND, interval: { type: 'string', value: '<time>', about: 'how often to look (default: 1s)' } },
    teaches: [
      'Arrow up and down select a process, left and right the column to sort by. r restarts the selected one, i isolates it, j lets it join again, ' +
      's shows its stack, R reloads all; each but the stack asks first. h lists all keys, q leaves. NO_COLOR is honoured.',
    ],
    examples: [['egg-clutch top', ''], ['egg-clutch top --interval 250ms', 'look four times a second']],
    load: () => require('./verbs/top').top,
  },
  'reload': {
    about: 'new workers for old ones, without losing a request',
    operands: ['[baseDir]'],
    flags: { agent: { type: 'boolean', about: 'renew the agent, too, after the workers' }, ...STEER },
    teaches: ['Each old worker leaves when its successor listens. New code that does not boot ends the reload, and the old workers go on: exit code 1.'],
    examples: [['egg-clutch reload', 'after new code has been laid'], ['egg-clutch reload --agent --timeout 5m', 'the agent as well, and wait 5 minutes at most']],
    load: () => require('./verbs/steer').reload,
  },
  'upgrade': {
    about: 'a new master, with new code of everything, in the place of the old one',
    operands: ['[baseDir]'],
    flags: STEER,
    teaches: [
      'For a new Node, a new egg-clutch or new code: the listening sockets are handed on, so that nobody is refused meanwhile. What `start` was told stays as ' +
      'it was told; for other flags, stop and start. One that does not get ready changes nothing. Not for a cluster in the foreground.',
    ],
    examples: [['egg-clutch upgrade', '']],
    load: () => require('./verbs/steer').upgrade,
  },
  'scale': {
    about: 'more or fewer app workers',
    operands: ['n', '[baseDir]'],
    flags: STEER,
    teaches: ['Ends when the new ones serve, or those that are too many have answered what they had, and left.'],
    examples: [['egg-clutch scale 8', 'eight workers from now on']],
    load: () => require('./verbs/steer').scale,
  },
  'restart': {
    about: 'a new process for one worker',
    operands: ['id', '[baseDir]'],
    flags: STEER,
    teaches: ['The new one first, then the old one leaves. `agent` in the place of the id means the agent; ids are those of `egg-clutch status`.'],
    examples: [['egg-clutch restart 3', 'worker 3'], ['egg-clutch restart agent', 'the agent']],
    load: () => require('./verbs/steer').restart,
  },
  'isolate': {
    about: 'give a worker no more connections, and let it live',
    operands: ['id', '[baseDir]'],
    flags: STEER,
    teaches: ["To look at it in peace: it keeps its place, its connections and its messages. Not the last one in service, and not under balance 'kernel'."],
    examples: [['egg-clutch isolate 3', ''], ['egg-clutch stack 3', 'and what it is doing']],
    load: () => require('./verbs/steer').isolate,
  },
  'rejoin': {
    about: 'give an isolated worker connections again',
    operands: ['id', '[baseDir]'],
    flags: STEER,
    teaches: [],
    examples: [['egg-clutch rejoin 3', '']],
    load: () => require('./verbs/steer').rejoin,
  },
  'stack': {
    about: 'the JavaScript stack of a worker, also of one that stands still',
    operands: ['id', '[baseDir]'],
    flags: { ...FIND, ...TIMEOUT, ...JSON_FLAG },
    teaches: ['`agent` in the place of the id means the agent. Nothing is attached and no port is opened.'],
    examples: [['egg-clutch stack 3', ''], ['egg-clutch stack agent', '']],
    load: () => require('./verbs/stack').stack,
  },
  'logs': {
    about: 'follow what the cluster writes',
    operands: ['[baseDir]'],
    flags: {
      ...FIND,
      'lines': { type: 'string', short: 'n', value: '<n>', about: 'how many lines from before (default: 20)' },
      'no-follow': { type: 'boolean', about: 'print what is there, and end' },
      'stdout': { type: 'string', value: '<file>', file: true, about: 'the file of its output (default: where the running master writes to, else ~/logs/master-stdout.log)' },
      'stderr': { type: 'string', value: '<file>', file: true, about: 'the file of its errors' },
    },
    teaches: ['Output goes to stdout and errors to stderr. Files that are renamed, replaced or truncated are followed by name. Ctrl-C ends it.'],
    examples: [['egg-clutch logs', ''], ['egg-clutch logs -n 100 --no-follow', 'the last hundred lines'], ['egg-clutch logs 2>/dev/null | grep ERROR', '']],
    load: () => require('./verbs/logs').logs,
  },
  'soak-reload': {
    about: 'reload under load, and count what was lost',
    operands: ['[baseDir]'],
    flags: {
      ...FIND,
      'reloads': { type: 'string', value: '<n>', about: 'how many, one after the other (default: 1)' },
      'clients': { type: 'string', value: '<n>', about: 'how many clients ask at once, half of them on kept connections (default: 8)' },
      'path': { type: 'string', value: '<path>', about: 'what they ask for (default: /)' },
      'url': { type: 'string', value: '<url>', about: "where (default: the cluster's own address)" },
      ...TIMEOUT,
      ...JSON_FLAG,
    },
    teaches: [
      'The first answer sets what is right; a request that gets no whole answer, or one with another status, is lost. Exit code 1 when any was. ' +
      'It asks a running cluster for real: choose a path that may be asked for often.',
    ],
    examples: [['egg-clutch soak-reload', ''], ['egg-clutch soak-reload --reloads 20 --path /healthy', '']],
    load: () => require('./verbs/soak_reload').soakReload,
  },
  'completion': {
    about: 'what a shell needs to complete these commands',
    operands: ['shell'],
    words: ['bash', 'zsh', 'fish'],
    flags: {},
    teaches: [],
    examples: [
      ['eval "$(egg-clutch completion bash)"', 'in ~/.bashrc'],
      ['eval "$(egg-clutch completion zsh)"', 'in ~/.zshrc, after compinit'],
      ['egg-clutch completion fish > ~/.config/fish/completions/egg-clutch.fish', ''],
    ],
    load: () => require('./verbs/completion').completion,
  },
  'help': {
    about: 'what a command does',
    operands: ['[command]'],
    flags: {},
    teaches: [],
    examples: [['egg-clutch help reload', '']],
    load: () => require('./verbs/help').help,
  },
};

module.exports = { VERBS };
