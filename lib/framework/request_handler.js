'use strict';

// Which function answers the requests of an app on the embedded framework. Takes what Express, Koa, Fastify and plain Node have
// to offer and makes one `(req, res)` of it; that an app has none, or that it fails, is answered here.

const NO_HANDLER = `This app has no request handler yet. Set one in app.js:

  module.exports = app => {
    app.use(async ctx => { ctx.body = 'hello'; });    // koa's way
    app.callback = expressOrKoaOrFastifyApp;          // or an app you have already
    app.handle = (req, res) => res.end('hello');      // or plain Node
  };
`;

class RequestHandler {
  #way = null;
  #listener = noHandler;
  #koa = null;
  #logger;

  /** @param {{error: Function}} logger */
  constructor(logger) {
    this.#logger = logger;
  }

  /** The koa application behind use(), made at its first use. */
  get koa() {
    if (!this.#koa) {
      this.#choose('app.use()');
      const Koa = require('koa');
      this.#koa = new Koa();
      this.#koa.on('error', error => {
        // What the client may see is the client's fault, and no news for the log: koa's own rule.
        if (error.status !== 404 && !error.expose) this.#logger.error(error);
      });
    }
    return this.#koa;
  }

  use(middleware) {
    this.koa.use(middleware);
    let listener;
    // Composed at the first request, when all middleware is there.
    this.#listener = (req, res) => {
      listener ??= this.#koa.callback();
      return listener(req, res);
    };
  }

  /** @param {Function} listener `(req, res)`; may be asynchronous */
  setListener(listener) {
    if (typeof listener !== 'function') throw new TypeError('app.handle must be a function (req, res)');
    this.#choose('app.handle');
    this.#listener = listener;
  }

  /**
   * @param {unknown} value see listenerOf
   * @returns {(() => Promise<void>) | null} what must be done before the first request, where there is such a thing
   */
  setCallback(value) {
    const { listener, prepare } = listenerOf(value);
    this.#choose('app.callback');
    this.#listener = listener;
    return prepare ?? null;
  }

  /** The listener for http.createServer; handlers that are set later count as well. */
  serve(req, res) {
    try {
      const result = this.#listener(req, res);
      if (typeof result?.then === 'function') result.then(undefined, error => this.#fail(error, res));
    } catch (error) {
      this.#fail(error, res);
    }
  }

  // The second of two ways would silently switch the first one off.
  #choose(way) {
    if (this.#way && this.#way !== way) throw new Error(`${way} cannot be combined with ${this.#way}: only one may answer`);
    this.#way = way;
  }

  // One request must not end a worker that serves many.
  #fail(error, res) {
    this.#logger.error(error);
    if (res.headersSent) {
      res.destroy();
      return;
    }
    res.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' });
    res.end('Internal Server Error\n');
  }
}

/**
 * @param {unknown} value a listener `(req, res)`, which an Express app is as well; a Koa app; a Fastify instance; or a function
 *   without parameters that returns one of these, called now
 * @returns {{listener: Function, prepare?: () => Promise<void>}}
 */
function listenerOf(value, depth = 0) {
  if (typeof value === 'function') {
    if (value.length > 0) return { listener: value };
    if (depth === 0) return listenerOf(value(), depth + 1);
  } else if (typeof value?.callback === 'function') {
    return { listener: value.callback() };
  } else if (typeof value?.routing === 'function' && typeof value.ready === 'function') {
    return fastifyListener(value);
  }
  throw new TypeError('app.callback must be a function (req, res), an Express, Koa or Fastify app, or a function without '
    + 'parameters that returns one of these');
}

// A Fastify instance routes only after its plugins are loaded.
function fastifyListener(fastify) {
  let isReady = false;
  const prepare = async () => {
    await fastify.ready();
    isReady = true;
  };
  const listener = (req, res) => (isReady ? fastify.routing(req, res) : prepare().then(() => fastify.routing(req, res)));
  return { listener, prepare };
}

function noHandler(req, res) {
  res.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' });
  res.end(NO_HANDLER);
}

module.exports = { RequestHandler };
