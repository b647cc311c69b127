'use strict';

// How long this worker may take to leave, by the same option and variables as the master's: the master has checked them.

const { timeouts } = require('../options/supervision');

const DEFAULT_CLOSE_TIMEOUT_MS = 5000;

/**
 * @param {'agent' | 'app'} role
 * @param {object} options parsed
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {number} milliseconds
 */
function closeTimeoutMs(role, options, env = process.env) {
  const { drainMs } = timeouts(options);
  if (drainMs !== undefined) return drainMs;
  const own = role === 'agent' ? env.EGG_AGENT_CLOSE_TIMEOUT : env.EGG_APP_CLOSE_TIMEOUT;
  const set = own || env.EGG_MASTER_CLOSE_TIMEOUT;
  return set && Number(set) >= 0 ? Number(set) : DEFAULT_CLOSE_TIMEOUT_MS;
}

module.exports = { closeTimeoutMs };
