'use strict';

// Turns parsed options and the environment into what the native half takes. Pure but for reading the framework's package.json.

const fs = require('fs');
const path = require('path');

const { ClutchError } = require('../errors');
const { PACKAGE_DIR } = require('../flavour');
const { bootsAtOnce } = require('../options/cpu_count');
const { isProduction, isQuiet } = require('../options/environment');
const { controlOptions } = require('../options/control');
const { heapBudget, oomFiles } = require('../options/memory_plan');
const { messengerSettings } = require('../options/messenger');
const { recycleOptions } = require('../options/recycle');
const { stickyOptions } = require('../options/sticky');
const { stuckOptions } = require('../options/stuck');
const { supervision } = require('../options/supervision');
const { ownCommand } = require('./succession');

// egg's tools know workers by where the package that we stand in for has its scripts: egg-scripts for egg 4 by another path.
const SCRIPT_DIRS = { 2: path.join(PACKAGE_DIR, 'lib'), 3: path.join(PACKAGE_DIR, 'dist', 'commonjs') };

const PRELOAD = path.join(PACKAGE_DIR, 'lib', 'worker', 'preload.js');

// execve(2): one argument, its closing NUL included, must fit into 32 pages (MAX_ARG_STRLEN).
const MAX_ARGUMENT_BYTES = 32 * 4096 - 1;

/** Name and version as the log shows them. */
function readFramework(dir) {
  const file = path.join(dir, 'package.json');
  try {
    const { name, version } = JSON.parse(fs.readFileSync(file, 'utf8'));
    return { name: String(name ?? path.basename(dir)), version: String(version) };
  } catch (cause) {
    throw new ClutchError('ERR_CLUTCH_OPTION', `options.framework: ${file} cannot be read as JSON: ${cause.message}`, { cause });
  }
}

/**
 * Node's own arguments for a worker. What says that the master's code stood on its command line stays here: a worker that
 * inherits it runs that code in the place of its script, which starts a cluster, whose workers do the same, and so on.
 */
function workerExecArgv({ execArgv, _eval: code }) {
  const inherited = [...execArgv];
  const at = code === undefined ? -1 : inherited.lastIndexOf(code);
  // The switch (-e, -p, -pe …) and the code are two arguments, as in child_process.fork.
  if (at > 0) inherited.splice(at - 1, 2);
  return inherited.filter(argument => !/^--(eval|print|input-type)=/.test(argument));
}

/** The options as the workers get them: one argument of their command lines. */
function toArgument(options) {
  const text = JSON.stringify(options);
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_ARGUMENT_BYTES) return text;
  const size = value => Buffer.byteLength(JSON.stringify(value) ?? '');
  const [largest, value] = Object.entries(options).reduce((a, b) => (size(b[1]) > size(a[1]) ? b : a));
  throw new ClutchError('ERR_CLUTCH_OPTION',
    `the options are ${bytes} bytes as JSON, but an argument of a command line can have ${MAX_ARGUMENT_BYTES};`
    + ` options.${largest} alone has ${size(value)}`);
}

/** What processes are forked with, as it is now. */
function environmentOf({ env }, compileCache) {
  return [...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...compileCache?.variables(env) ?? []];
}

/**
 * What a worker of one role runs. An entry that is not ours is tied to the master by a module that Node loads before it; a snapshot
 * can load none, so its process is reached by Node's channel alone.
 */
function entryOf(file, snapshot, own) {
  const script = file ?? own;
  if (snapshot) return { script, execArgv: ['--snapshot-blob', snapshot], isRestored: true };
  return { script, execArgv: file ? ['--require', PRELOAD] : [], isRestored: false };
}

/**
 * @param {object} options parsed, with the ports that the master found
 * @param {{ flavour: 2 | 3, framework: { name: string }, proc: NodeJS.Process, environment: object, inherited?: number,
 *   compileCache?: import('./compile_cache').CompileCache }} facts
 * @returns {object} ClusterConfig of the binding
 */
function clusterConfig(options, { flavour, framework, proc, environment, inherited, compileCache }) {
  const { env, execPath, debugPort } = proc;
  const threads = options.startMode === 'worker_threads';
  const heap = heapBudget(options, proc);
  // What is said in the options comes before the environment, as everywhere.
  const { drainMs, ...supervised } = supervision(options);
  return {
    execPath,
    execArgv: [...workerExecArgv(proc), ...(heap ? [heap.argument] : [])],
    agent: entryOf(options.agentWorkerFile, options.agentSnapshotBlob, path.join(SCRIPT_DIRS[flavour], 'agent_worker.js')),
    app: entryOf(options.appWorkerFile, options.appSnapshotBlob, path.join(SCRIPT_DIRS[flavour], 'app_worker.js')),
    env: environmentOf(proc, compileCache),
    // Threads are given theirs as they are made, on no command line.
    optionsJson: threads ? JSON.stringify(options) : toArgument(options),
    threads,
    // For comparison, and for machines on which shared memory makes trouble.
    switchboard: env.EGG_CLUTCH_SWITCHBOARD !== 'off',
    maxQueueBytes: messengerSettings(options).maxQueue,
    lanes: env.EGG_CLUTCH_LANES !== 'off',
    balance: options.balance ?? 'least-busy',
    sharesSockets: !threads || options.reusePort === true,
    workers: options.workers,
    // Threads have one process' start-up behind them already.
    bootsAtOnce: threads ? options.workers : bootsAtOnce(),
    frameworkName: framework.name,
    production: isProduction(options.env, environment.nodeEnv),
    quiet: isQuiet(options.env, environment.nodeEnv),
    logLevel: environment.logLevel,
    logsJson: options.log === 'json',
    isDebug: options.isDebug === true,
    agentInspectPort: environment.agentInspectPort,
    inspectPort: debugPort,
    port: options.port,
    stickyWorkerPort: options.stickyWorkerPort,
    ...stickyOptions(options.sticky),
    protocol: options.https ? 'https' : 'http',
    debugPort: options.debugPort,
    pidFile: options.pidFile ? path.resolve(options.pidFile) : undefined,
    ...ownCommand(proc),
    inherited,
    appCloseTimeoutMs: drainMs ?? environment.appCloseTimeoutMs,
    agentCloseTimeoutMs: drainMs ?? environment.agentCloseTimeoutMs,
    ...supervised,
    host: environment.host,
    announceAgentPid: flavour === 3,
    stuck: threads ? undefined : stuckOptions(options.stuck),
    recycle: recycleOptions(options.recycle),
    oomFiles: oomFiles(),
    ...controlOptions(options),
  };
}

module.exports = { clusterConfig, environmentOf, readFramework };
