'use strict';

// The errors that leave this package. `code` is what a caller may test for; texts may get better, codes never change.

/** Every stable code with what it stands for. */
const CODES = Object.freeze({
  ERR_CLUTCH_OPTION: 'an option, or an environment variable that acts as one, has a value that is not allowed',
  ERR_CLUTCH_BOOT: 'the cluster did not become ready',
  ERR_CLUTCH_SPAWN: 'a process could not be forked',
  ERR_CLUTCH_LISTEN: 'a socket could not be opened',
  ERR_CLUTCH_PLATFORM: 'the native addon is not there for this machine',
  ERR_CLUTCH_PROTOCOL: 'a peer sent what the protocol does not allow',
  ERR_CLUTCH_MESSAGE_TOO_BIG: 'a message is larger than the limit',
  ERR_CLUTCH_QUEUE_FULL: 'a queue of messages is at its limit',
  ERR_CLUTCH_NO_RECEIVER: 'nobody is there to take the message',
  ERR_CLUTCH_TIMEOUT: 'the answer did not come in time',
  ERR_CLUTCH_RELOAD: 'the new workers did not boot, the old ones are still there',
  ERR_CLUTCH_CLOSED: 'the cluster is closing or closed',
});

class ClutchError extends Error {
  /**
   * @param {string} code one of CODES
   * @param {string} message names the operand and the limit
   * @param {{ cause?: unknown }} [options]
   */
  constructor(code, message, options) {
    super(message, options);
    if (!Object.hasOwn(CODES, code)) throw new TypeError(`unknown error code ${code}`);
    this.code = code;
  }

  /** What the native half threw keeps its code and text; anything unknown to CODES gets `fallback`. */
  static from(error, fallback) {
    if (error instanceof ClutchError) return error;
    const code = Object.hasOwn(CODES, error?.code ?? '') ? error.code : fallback;
    return new ClutchError(code, error?.message ?? String(error), { cause: error });
  }
}

// On the prototype, as Error itself has it: an own `name` would be printed as a field after every stack.
Object.defineProperty(ClutchError.prototype, 'name', { value: 'ClutchError', writable: true, configurable: true });

/** egg 4 re-exports this name; it wraps what an agent process reported. */
class ClusterAgentWorkerError extends Error {
  constructor(id, workerId, status, error) {
    super(`Got agent worker error: ${error.message}`, { cause: error });
    this.name = 'ClusterAgentWorkerError';
    this.id = id;
    this.workerId = workerId;
    this.status = status;
  }
}

/** egg 4 re-exports this name; the health check ends the master with it. */
class ClusterWorkerExceptionError extends Error {
  constructor(agent, worker) {
    super(`[master] ${agent} agent and ${worker} worker(s) alive, exit to avoid unknown state`);
    this.name = 'ClusterWorkerExceptionError';
    this.count = { agent, worker };
  }
}

module.exports = { CODES, ClutchError, ClusterAgentWorkerError, ClusterWorkerExceptionError };
