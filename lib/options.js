'use strict';

// Checks what startCluster was given and puts it into its final form. Starts nothing. The result is the object that every
// worker gets on its command line, so its keys and defaults are those of the package we stand in for.

const assert = require('assert');
const path = require('path');

const { ClutchError } = require('./errors');
const { flavour } = require('./flavour');
const { loadFramework } = require('./framework_entry');
const { findFramework } = require('./framework_path');
const { bad, oneOf, string, boolean, object, givenFields, count, port } = require('./options/checks');
const { checkControls } = require('./options/control');
const { parseEntries } = require('./options/entries');
const { parseHttps } = require('./options/https');
const { defaultWorkers, checkHeapBudget } = require('./options/memory_plan');
const { parseMessenger } = require('./options/messenger');
const { checkRecycle } = require('./options/recycle');
const { checkSticky } = require('./options/sticky');
const { checkStuck } = require('./options/stuck');
const { supervision } = require('./options/supervision');
const { parseThreads } = require('./options/threads');

const HTTPS_PORT = 8443;
const MAX_WORKERS = 1024;
// By option: the words that it takes.
const WORDS = { balance: ['least-busy', 'round-robin', 'kernel'], log: ['egg', 'json'] };

function checkFields(given) {
  for (const name of ['baseDir', 'framework', 'customEgg', 'env', 'pidFile']) {
    if (Object.hasOwn(given, name)) string(`options.${name}`, given[name]);
  }
  if (Object.hasOwn(given, 'plugins')) object('options.plugins', given.plugins);
  for (const name of ['isDebug', 'reusePort']) {
    if (Object.hasOwn(given, name)) boolean(`options.${name}`, given[name]);
  }
  for (const [name, words] of Object.entries(WORDS)) {
    if (Object.hasOwn(given, name)) oneOf(`options.${name}`, given[name], words);
  }
}

function checkTogether({ sticky, reusePort, balance }) {
  if (sticky && balance === 'kernel') {
    throw new ClutchError('ERR_CLUTCH_OPTION',
      "options.balance cannot be 'kernel' together with options.sticky: either the kernel chooses the worker of a connection or its client does");
  }
  if (reusePort && balance !== undefined && balance !== 'kernel') {
    throw new ClutchError('ERR_CLUTCH_OPTION',
      `options.balance cannot be '${balance}' together with options.reusePort: with that the kernel chooses, as with 'kernel'`);
  }
  if (!sticky || !reusePort) return;
  throw new ClutchError('ERR_CLUTCH_OPTION',
    'options.reusePort cannot be true together with options.sticky: either the kernel chooses the worker of a connection or its client does');
}

function parseRequire(value) {
  const list = [].concat(value);
  for (const entry of list) {
    if (typeof entry !== 'string' || entry === '') throw bad('options.require', value, 'a module, or an array of modules, to load first');
  }
  return list;
}

/** An absolute path stays as it is spelled: tools look for it in the workers' command lines. */
function absolute(baseDir) {
  if (baseDir && path.isAbsolute(baseDir)) return baseDir;
  return path.resolve(process.cwd(), baseDir ?? '');
}

function parsePorts(given) {
  const ports = {
    port: port('options.port', given.port ?? (given.https ? HTTPS_PORT : undefined)),
    debugPort: port('options.debugPort', given.debugPort),
  };
  if (ports.port && ports.port === ports.debugPort) throw bad('options.debugPort', given.debugPort, 'another port than options.port');
  const taken = Object.entries(ports).find(([, number]) => number && number === given.admin?.port);
  if (taken) throw bad('options.admin.port', given.admin.port, `another port than options.${taken[0]}`);
  return ports;
}

/** The CPUs are counted only where no number is given: asking may be costly, or refused. */
function parseWorkers(value, spares) {
  const workers = count('options.workers', value, MAX_WORKERS, `a whole number from 1 to ${MAX_WORKERS} (or 0 for the default)`);
  return workers ? { workers, reason: null } : defaultWorkers({}, { spares });
}

async function checkFramework(dir, baseDir) {
  let framework;
  try {
    framework = await loadFramework(dir, baseDir);
  } catch (cause) {
    throw new ClutchError('ERR_CLUTCH_OPTION', `options.framework: ${dir} could not be loaded: ${cause?.message ?? cause}`, { cause });
  }
  assert(framework.Application, `should define Application in ${dir}`);
  assert(framework.Agent, `should define Agent in ${dir}`);
}

/** Workers get the options as JSON: what has no JSON form must be found here, with the name of its field. */
function checkJson(options) {
  for (const [name, value] of Object.entries(options)) {
    try {
      JSON.stringify(value);
    } catch (cause) {
      throw new ClutchError('ERR_CLUTCH_OPTION', `options.${name} cannot be handed to the workers as JSON: ${cause.message}`, { cause });
    }
  }
}

/** In the order in which the workers' command lines and the log have always shown them. */
function defaults(version, given, env) {
  const serverEnv = given.env || env.EGG_SERVER_ENV || undefined;
  if (version === 3) return { baseDir: null, port: undefined, startMode: 'process', env: serverEnv };
  return {
    framework: null, baseDir: null, port: undefined, reusePort: false, workers: null, plugins: null, https: false,
    startMode: 'process', ports: [], env: serverEnv ?? null,
  };
}

/**
 * @param {object} [options] as given to startCluster
 * @returns {Promise<{ options: object, flavour: 2 | 3, workersReason: string | null }>} the reason says how the number of
 *   workers was found where it was not given
 */
async function parse(options = {}) {
  if (options === null) options = {};
  const given = givenFields(object('options', options));
  checkFields(given);
  supervision(given);
  checkTogether(given);
  checkSticky(given);
  checkStuck(given);
  checkHeapBudget(given);
  checkRecycle(given);
  checkControls(given);

  const ports = parsePorts(given);
  const threads = parseThreads(given, ports.debugPort);
  const { workers, reason } = threads.workers ? { workers: threads.workers, reason: null } : parseWorkers(given.workers, given.spare);
  const messenger = Object.hasOwn(given, 'messenger') ? parseMessenger(given.messenger) : undefined;
  const required = given.require ? parseRequire(given.require) : undefined;

  const baseDir = absolute(given.baseDir);
  const entries = parseEntries(given, baseDir);
  const framework = findFramework(baseDir, given.framework || given.customEgg);
  const version = flavour(framework);
  // Before anything is awaited: a framework's wrapper sets the environment just before it calls.
  const base = defaults(version, given, process.env);
  await checkFramework(framework, baseDir);

  const parsed = { ...base, ...given, ...entries };
  Object.assign(parsed, { framework, baseDir, workers, port: ports.port, env: base.env });
  if (Object.hasOwn(given, 'ports')) parsed.ports = threads.ports;
  if (Object.hasOwn(given, 'https')) parsed.https = parseHttps(given, version);
  if (Object.hasOwn(given, 'debugPort')) parsed.debugPort = ports.debugPort;
  if (Object.hasOwn(given, 'require')) parsed.require = required;
  if (messenger) parsed.messenger = messenger;
  checkJson(parsed);

  // Deprecation notes go to stderr, and a start that wrote to stderr counts as failed in production.
  if (process.env.NODE_ENV === 'production') process.env.NO_DEPRECATION = '*';
  if (process.execArgv.some(flag => flag.includes('--debug') || flag.includes('--inspect'))) parsed.isDebug = true;

  return { options: parsed, flavour: version, workersReason: reason };
}

/** The validated options as startCluster would hand them on. */
async function parseOptions(options) {
  return (await parse(options)).options;
}

module.exports = { parseOptions, parse };
