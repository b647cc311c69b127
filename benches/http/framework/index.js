'use strict';

// The least that a cluster layer takes for a framework, so that nothing but the layer is measured.

const { EventEmitter } = require('node:events');

const handle = require('../servers/handle');

class Base extends EventEmitter {
  constructor(options) {
    super();
    this.options = options;
    this.config = {};
    this.messenger = new EventEmitter();
  }

  ready(listener) {
    if (listener) setImmediate(listener);
    return Promise.resolve();
  }

  async close() {}
}

class Application extends Base {
  callback() {
    return handle;
  }
}

exports.Application = Application;
exports.Agent = Base;
exports.startCluster = () => { throw new Error('the bench starts the layer itself'); };
