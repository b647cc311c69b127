'use strict';

// How long this worker may take to leave, by the same variables as the master's: the master has checked them.

const DEFAULT_CLOSE_TIMEOUT_MS = 5000;

/**
 * @param {'agent' | 'app'} role
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {number} milliseconds
 */
function closeTimeoutMs(role, env = process.env) {
  const own = role === 'agent' ? env.EGG_AGENT_CLOSE_TIMEOUT : env.EGG_APP_CLOSE_TIMEOUT;
  const set = own || env.EGG_MASTER_CLOSE_TIMEOUT;
  return set && Number(set) >= 0 ? Number(set) : DEFAULT_CLOSE_TIMEOUT_MS;
}

module.exports = { closeTimeoutMs };
