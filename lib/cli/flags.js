'use strict';

// The flags of the command line, each described once: parsing, help and completion read the same words.
// type: 'boolean' | 'string'; value: what the help shows for the value; many: may be given more than once; file: completed as a path;
// words: completed as one of these.

const FIND = {
  'control': { type: 'string', value: '<path>', file: true, about: 'the control socket of the cluster' },
  'pid-file': { type: 'string', value: '<path>', file: true, about: 'the pid file of the cluster' },
  'base-dir': { type: 'string', value: '<dir>', file: true, about: 'the folder of the app; its socket is run/clutch.sock below it' },
};

const JSON_FLAG = { json: { type: 'boolean', about: 'print one JSON document, also of an error' } };

const TIMEOUT = { timeout: { type: 'string', value: '<time>', about: 'how long to wait, such as 30s or 2m (default: as long as it takes)' } };

const START = {
  'workers': { type: 'string', short: 'c', other: ['cluster'], value: '<n>', about: 'how many app workers (default: EGG_WORKERS, else by the CPUs)' },
  'port': { type: 'string', short: 'p', value: '<port>', about: 'the port (default: PORT, else what the app says, else 7001)' },
  'env': { type: 'string', value: '<name>', about: "egg's environment (default: EGG_SERVER_ENV, else prod)" },
  'framework': { type: 'string', value: '<name>', about: 'package name or absolute path of the framework' },
  'title': { type: 'string', value: '<text>', about: "in the command lines of all processes (default: egg-server-<the app's name>)" },
  'daemon': { type: 'boolean', about: 'go to the background once the cluster is ready' },
  'stdout': { type: 'string', value: '<file>', file: true, about: 'where a daemon writes its output (default: ~/logs/master-stdout.log)' },
  'stderr': { type: 'string', value: '<file>', file: true, about: 'where a daemon writes its errors (default: ~/logs/master-stderr.log)' },
  'timeout': { type: 'string', value: '<time>', about: 'how long a daemon may take to get ready, ms or 90s, 5m (default: 5m)' },
  'ignore-stderr': { type: 'boolean', about: 'a daemon that wrote errors while it started has started all the same' },
  'node': { type: 'string', value: '<path>', file: true, about: 'the node to run (default: this one)' },
  'require': { type: 'string', short: 'r', many: true, value: '<module>', about: 'a module to load first in every process' },
  'sourcemap': { type: 'boolean', other: ['ts', 'typescript'], about: 'stack traces by source maps' },
  'sticky': { type: 'boolean', about: 'all connections of one address to one worker (by a header, a cookie or the PROXY protocol with --option)' },
  'option': { type: 'string', short: 'o', many: true, value: '<name=value>', about: 'any other option of startCluster; the value is JSON, or a text' },
  'control': { type: 'string', value: '<path>', file: true, about: 'where to put the control socket (default: run/clutch.sock below the app)' },
  'pid-file': { type: 'string', value: '<path>', file: true, about: 'where to write the pid of the master (a daemon: run/clutch.pid)' },
};

/** What is handed on to node, as egg-scripts does it. */
const NODE_FLAGS = [
  ['--inspect[=…], --inspect-brk, --inspect-port=…', 'debug all processes'],
  ['--harmony…', "V8's own switches"],
  ['--node-options--<flag>[=…]', 'any other flag of node, such as --node-options--max-old-space-size=4096'],
];

module.exports = { FIND, JSON_FLAG, TIMEOUT, START, NODE_FLAGS };
