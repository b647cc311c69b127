'use strict';

// The embedded framework's Application: an app worker for a folder with an app.js and no egg. It answers requests by whatever
// handler app.js sets, and leaves by `graceful` after an uncaught exception, as egg's does.

const { isMainThread, parentPort } = require('worker_threads');
const { graceful } = require('graceful');
const { EmbeddedBase, LOAD } = require('./base');
const { RequestHandler } = require('./request_handler');

const DRAIN_TIMEOUT_MS = 30000;

class Application extends EmbeddedBase {
  #handler = new RequestHandler(this.logger);
  #serve = (req, res) => this.#handler.serve(req, res);

  /** The http or https server, once there is one. */
  server = null;

  /** @param {object} [options] the parsed options of startCluster */
  constructor(options = {}) {
    super(options, 'application');
    this.once('server', server => this.#takeServer(server));
    this[LOAD]('app');
  }

  /** Adds a koa middleware. */
  use(middleware) {
    this.#handler.use(middleware);
    return this;
  }

  /** The koa application behind use(), for its settings. */
  get koa() {
    return this.#handler.koa;
  }

  /** `callback()` gives the listener for http.createServer. Assign an app of Express, Koa or Fastify to have it answer. */
  get callback() {
    return () => this.#serve;
  }

  set callback(value) {
    const prepare = this.#handler.setCallback(value);
    if (prepare) this.beforeStart(prepare);
  }

  /** `handle(req, res)` answers one request. Assign a function to have it answer all. */
  get handle() {
    return this.#serve;
  }

  set handle(listener) {
    this.#handler.setListener(listener);
  }

  // graceful stops taking requests, tells the master to replace this worker, and ends the process when the rest is answered.
  #takeServer(server) {
    this.server = server;
    graceful({
      server: [server],
      worker: isMainThread ? undefined : threadAsWorker(server),
      killTimeout: DRAIN_TIMEOUT_MS,
      ignoreCode: this.config.serverGracefulIgnoreCode,
      error: error => this.coreLogger.error(error),
    });
  }
}

/** A thread of the master with what `graceful` asks of a cluster worker; it has closed the server before it says disconnect. */
function threadAsWorker(server) {
  return {
    send: message => parentPort.postMessage(message),
    disconnect: () => server.once('close', () => process.exit(1)),
  };
}

module.exports = { Application };
