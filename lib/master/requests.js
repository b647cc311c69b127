'use strict';

// What is asked of the running cluster and answered later: each request gets a number, and an `answer` event brings it back.

const { ClutchError } = require('../errors');

class Requests {
  #waiting = new Map();
  #last = 0;
  #send;

  /** @param {(request: object) => void} send hands one to the native half; may throw */
  constructor(send) {
    this.#send = send;
  }

  /**
   * @param {object} request a ClusterRequest of the binding, without its ticket
   * @param {(request: object) => void} [send] where it does not go the usual way
   * @returns {Promise<unknown>} the answer's value
   */
  ask(request, send = this.#send) {
    return new Promise((resolve, reject) => {
      const ticket = ++this.#last;
      this.#waiting.set(ticket, { resolve, reject, what: request.kind });
      try {
        send({ ...request, ticket });
      } catch (error) {
        this.#waiting.delete(ticket);
        reject(ClutchError.from(error, 'ERR_CLUTCH_CLOSED'));
      }
    });
  }

  /** An `answer` event. */
  settle({ ticket, value, error }) {
    const waiting = this.#waiting.get(ticket);
    if (!waiting) return;
    this.#waiting.delete(ticket);
    if (!error) return void waiting.resolve(value ?? undefined);
    const { code, message, facts } = error;
    const failure = new ClutchError(code, `${waiting.what}: ${message}`, facts ? { cause: facts } : undefined);
    waiting.reject(failure);
  }

  /** The cluster is at its end: nobody answers any more. */
  close() {
    for (const ticket of [...this.#waiting.keys()]) {
      this.settle({ ticket, error: { code: 'ERR_CLUTCH_CLOSED', message: 'the cluster has ended' } });
    }
  }
}

module.exports = { Requests };
