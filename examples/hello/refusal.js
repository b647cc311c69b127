'use strict';

/** A request that is refused, with the reason in words for whoever sent it. */
class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

module.exports = Refusal;
