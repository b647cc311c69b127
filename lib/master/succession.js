'use strict';

// One master after the other: how a new one is started in the place of this one, and how a new one knows that it is one.

const fs = require('fs');
const path = require('path');

const { ClutchError } = require('../errors');
const { bad, isPlainObject, string } = require('../options/checks');
const { duration } = require('../options/duration');

const VARIABLE = 'EGG_CLUTCH_UPGRADE';
const VERSION = 1;

function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/**
 * The node binary as it was called, and not as it was found: a link may lead to another version tomorrow. `process.execPath` has every
 * link resolved.
 * @param {{ argv0: string, execPath: string, env: object, cwd: () => string }} proc
 */
function ownExecPath({ argv0 = '', execPath, env, cwd }) {
  // Whoever calls it by another name may mean anything.
  if (path.basename(argv0) !== path.basename(execPath)) return execPath;
  const folders = argv0.includes('/') ? [cwd()] : (env.PATH ?? '').split(path.delimiter).filter(path.isAbsolute);
  const found = folders.map(folder => path.resolve(folder, argv0)).find(isExecutable);
  // Where its name leads to another program already, it was not called by that.
  return found && fs.realpathSync(found) === execPath ? found : execPath;
}

/** How this master was started, for a new one in its place. */
function ownCommand(proc) {
  return { ownExecPath: ownExecPath(proc), ownArgs: [...proc.execArgv, ...proc.argv.slice(1)] };
}

/**
 * The descriptor by which the master before this one tells what it leaves; undefined where there was none. Taken out of the environment, so
 * that no child of ours believes it.
 * @param {NodeJS.ProcessEnv} env
 * @returns {number | undefined}
 */
function takeInheritance(env) {
  const text = env[VARIABLE];
  if (text === undefined) return undefined;
  delete env[VARIABLE];
  const [version, fd] = text.split(':').map(Number);
  if (version !== VERSION || !Number.isInteger(fd)) {
    throw new ClutchError('ERR_CLUTCH_BOOT', `the old master leaves its sockets in a way that this version does not know (${VARIABLE}=${text}); stop it and start anew`);
  }
  return fd;
}

function list(name, value) {
  if (!Array.isArray(value)) throw bad(name, value, 'an array of strings');
  return value.map((entry, index) => text(`${name}[${index}]`, entry));
}

function text(name, value) {
  if (string(name, value).includes('\0')) throw bad(name, value, 'text without NUL');
  return value;
}

function variables(value) {
  if (!isPlainObject(value)) throw bad('env', value, 'an object of variables');
  const given = Object.entries(value).filter(([, variable]) => variable !== undefined);
  return given.map(([name, variable]) => `${name}=${text(`env.${name}`, String(variable))}`);
}

/**
 * @param {{ execPath?: string, args?: string[], env?: object, timeout?: number | string }} options of Cluster#upgrade
 * @returns {object} a MasterPlan of the binding
 */
function masterPlan(options = {}) {
  if (!isPlainObject(options)) throw bad('the argument of upgrade', options, 'an object with execPath, args, env, timeout');
  const { execPath, args, env, timeout } = options;
  return {
    ...(execPath !== undefined && { execPath: path.resolve(text('execPath', execPath)) }),
    ...(args !== undefined && { args: list('args', args) }),
    ...(env !== undefined && { env: variables(env) }),
    ...(timeout !== undefined && { timeoutMs: duration('timeout', timeout, { min: 1 }) }),
  };
}

module.exports = { masterPlan, ownCommand, ownExecPath, takeInheritance };
