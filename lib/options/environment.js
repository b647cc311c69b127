'use strict';

// The environment variables of the master, read once when a cluster is started. Workers read their own.

const { bad, MAX_PORT } = require('./checks');

const LEVELS = ['ALL', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'NONE'];
const DEFAULT_CLOSE_TIMEOUT_MS = 5000;
const DEFAULT_AGENT_INSPECT_PORT = 5800;
// The longest time a Node timer can wait.
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** A variable that is set but empty counts as not set. */
function number(env, name, max, allowed) {
  const text = env[name];
  if (text === undefined || text === '') return undefined;
  const value = /^\s*\d+\s*$/.test(text) ? Number(text) : NaN;
  if (!(value <= max)) throw bad(`environment variable ${name}`, text, allowed);
  return value;
}

function timeout(env, name) {
  return number(env, name, MAX_TIMEOUT_MS, `a whole number of milliseconds from 0 to ${MAX_TIMEOUT_MS}`);
}

function logLevel(env) {
  const text = env.EGG_MASTER_LOGGER_LEVEL || 'INFO';
  const level = text.trim().toUpperCase();
  if (!LEVELS.includes(level)) throw bad('environment variable EGG_MASTER_LOGGER_LEVEL', text, `one of ${LEVELS.join(', ')}`);
  return level;
}

/** @param {NodeJS.ProcessEnv} env */
function readEnvironment(env) {
  const shared = timeout(env, 'EGG_MASTER_CLOSE_TIMEOUT') ?? DEFAULT_CLOSE_TIMEOUT_MS;
  const inspectPort = number(env, 'EGG_AGENT_DEBUG_PORT', MAX_PORT, `a TCP port from 1 to ${MAX_PORT}`);
  return {
    nodeEnv: env.NODE_ENV,
    host: env.HOST && env.HOST !== '0.0.0.0' ? env.HOST : undefined,
    logLevel: logLevel(env),
    appCloseTimeoutMs: timeout(env, 'EGG_APP_CLOSE_TIMEOUT') ?? shared,
    agentCloseTimeoutMs: timeout(env, 'EGG_AGENT_CLOSE_TIMEOUT') ?? shared,
    agentInspectPort: inspectPort || DEFAULT_AGENT_INSPECT_PORT,
  };
}

/** An env other than these two refill slots and watch their health. */
function isProduction(env, nodeEnv) {
  return env ? env !== 'local' && env !== 'unittest' : nodeEnv === 'production';
}

/** Chatty lines go to DEBUG while somebody develops. */
function isQuiet(env, nodeEnv) {
  return env === 'local' || nodeEnv === 'development';
}

module.exports = { readEnvironment, isProduction, isQuiet };
