'use strict';

// How a command may end, other than well. The codes are part of the face: scripts test for them.

const EXIT = Object.freeze({ done: 0, failed: 1, usage: 2, noCluster: 3 });

/** What a verb throws when it cannot do what it was asked to: a text for people, a stable code, and the exit code of the command. */
class CommandError extends Error {
  /**
   * @param {string} message one or more lines that say what happened, and what to do where that is known
   * @param {{ code?: string, exitCode?: number, cause?: unknown }} [facts]
   */
  constructor(message, { code = 'ERR_CLUTCH_FAILED', exitCode = EXIT.failed, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.exitCode = exitCode;
  }

  static usage(message) {
    return new CommandError(message, { code: 'ERR_CLUTCH_USAGE', exitCode: EXIT.usage });
  }

  static otherUser(what, cause) {
    return new CommandError(`${what} belongs to another user: run this as the user of the cluster`, { code: 'ERR_CLUTCH_FAILED', cause });
  }

  static noCluster(message, cause) {
    return new CommandError(message, { code: 'ERR_CLUTCH_NO_CLUSTER', exitCode: EXIT.noCluster, cause });
  }
}

module.exports = { EXIT, CommandError };
