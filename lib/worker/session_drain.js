'use strict';

// How an HTTP/2 server that an app opened in its worker lets its clients go: GOAWAY in two steps, as RFC 9113 (6.8) has it. The first says
// that the end is near and refuses nothing, as streams may be on their way; the second, a while later, names the last one that is answered.

// More than any stream's number: no stream is refused yet.
const NO_LAST_STREAM = 2 ** 31 - 1;
const NO_ERROR = 0;

/** One server from its first connection on; what `ServerDrain` is for HTTP/1. */
class SessionDrain {
  #sessions = new Set();
  #isAnnounced = false;
  #whenEmpty = null;

  /** @param {import('http2').Http2Server | import('http2').Http2SecureServer} server */
  constructor(server) {
    this.server = server;
    server.on('session', session => {
      this.#sessions.add(session);
      if (this.#isAnnounced) this.#warn(session);
      session.once('close', () => {
        this.#sessions.delete(session);
        if (this.#sessions.size === 0) this.#whenEmpty?.();
      });
    });
  }

  /** Clients learn that their connection is about to end. */
  announce() {
    if (this.#isAnnounced) return;
    this.#isAnnounced = true;
    for (const session of this.#sessions) this.#warn(session);
    // With `allowHTTP1`, others come as well. A first listener would have Node make a request of each stream, so there must be one already.
    if (this.server.listenerCount('request') === 0) return;
    this.server.prependListener('request', (request, response) => {
      if (request.httpVersionMajor < 2) response.shouldKeepAlive = false;
    });
  }

  #warn(session) {
    if (!session.closed && !session.destroyed) session.goaway(NO_ERROR, NO_LAST_STREAM);
  }

  /** That is left to the app's close hooks. */
  stopListening() {}

  /**
   * Resolves when all sessions have ended.
   * @param {{ over: (act: () => void) => () => void }} linger how long new streams are taken on those that there are
   */
  async whenEmpty(linger) {
    if (this.#sessions.size === 0) return;
    const noClose = linger.over(() => {
      for (const session of this.#sessions) session.close();
    });
    await new Promise(resolve => { this.#whenEmpty = resolve; });
    noClose();
  }
}

module.exports = { SessionDrain };
