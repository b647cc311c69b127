'use strict';

// The pages that watch through this worker, each over one endless response of server-sent events.

const SEATS = 64;
const BEHIND_LIMIT = 1024 * 1024; // bytes that wait for one page
const RETRY_MS = 300; //             how soon a page looks for another worker when this one dies
const HEARTBEAT_MS = 15000; //       below the idle time-outs of common proxies

class Audience {
  constructor() {
    this.seats = new Set();
    this.heartbeat = null;
    this.closed = false;
  }

  get size() {
    return this.seats.size;
  }

  get full() {
    return this.closed || this.seats.size >= SEATS;
  }

  /** Takes a response over; it ends when the page or this worker leaves. */
  seat(response, event, data) {
    this.seats.add(response);
    response.on('close', () => this.leave(response));
    response.write(`retry: ${RETRY_MS}\n\n${frame(event, data)}`);
    this.heartbeat ??= setInterval(() => this.write(': still here\n\n'), HEARTBEAT_MS);
    this.heartbeat.unref();
  }

  /** Tells every page. */
  tell(event, data) {
    if (this.seats.size > 0) this.write(frame(event, data));
  }

  /** Ends all responses, so that they do not hold up the exit of this worker: the pages go to another one. */
  close() {
    this.closed = true;
    for (const response of this.seats) response.end();
  }

  write(text) {
    for (const response of this.seats) {
      // A page that does not read would fill this worker's memory; it catches up when it reconnects.
      if (response.writableLength > BEHIND_LIMIT) response.destroy();
      else if (!response.writableEnded) response.write(text);
    }
  }

  leave(response) {
    this.seats.delete(response);
    if (this.seats.size > 0) return;
    clearInterval(this.heartbeat);
    this.heartbeat = null;
  }
}

// JSON has no line breaks of its own, so one `data:` line is enough.
const frame = (event, data) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

module.exports = Audience;
