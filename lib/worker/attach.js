'use strict';

// Ties this process to the native side of its master: from here on a guard thread ends it if the master dies while JavaScript
// is blocked. The first thing a worker script does. Without the addon (another platform, a plain test) a worker works as well.

const { isMainThread } = require('worker_threads');

/**
 * @param {number} closeTimeout how long this worker may take to leave, in milliseconds: so much it gets when its master is gone
 * @returns {Error | null} what went wrong, for the caller to log once it has a logger
 */
function attach(closeTimeout) {
  // A thread of the master ends with it; to guard its process would be to guard the master against its own parent.
  if (!isMainThread) return null;
  let binding;
  try {
    binding = require('../../binding');
  } catch {
    return null;
  }
  try {
    binding.attach(closeTimeout);
    return null;
  } catch (error) {
    return error;
  }
}

module.exports = { attach };
