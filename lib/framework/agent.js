'use strict';

// The embedded framework's Agent: the one process beside the app workers, for a folder with an agent.js and no egg. There is
// only one of it, so an error that nobody caught is logged and does not end it.

const { EmbeddedBase, LOAD } = require('./base');
const { toError } = require('./lifecycle');

class Agent extends EmbeddedBase {
  #onException = reason => this.#logUncaught(reason, 'unhandledExceptionError');
  #onRejection = reason => this.#logUncaught(reason, 'unhandledRejectionError');

  /** @param {object} [options] the parsed options of startCluster */
  constructor(options = {}) {
    super(options, 'agent');
    this[LOAD]('agent');
    // Not before: an agent.js that throws while it loads must end the process.
    process.on('uncaughtException', this.#onException);
    process.on('unhandledRejection', this.#onRejection);
  }

  async close() {
    try {
      await super.close();
    } finally {
      process.removeListener('uncaughtException', this.#onException);
      process.removeListener('unhandledRejection', this.#onRejection);
    }
  }

  #logUncaught(reason, name) {
    const error = toError(reason);
    if (error.name === 'Error') error.name = name;
    this.coreLogger.error(error);
  }
}

module.exports = { Agent };
