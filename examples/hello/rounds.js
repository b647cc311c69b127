'use strict';

// Sends one small message round: agent → worker → worker → … → agent, each hop by `sendTo`. Lives in the agent.
// A round starts only when a worker with an open page asks for one, so a cluster that nobody watches stays silent.

const { HOP, ROUND } = require('./messages');

// Several pages on several workers may ask; they all see the same rounds.
const PAUSE_MS = 2500;

class Rounds {
  constructor(messenger, roster) {
    this.messenger = messenger;
    this.roster = roster;
    this.number = 0;
    this.current = null;
    this.startedAt = 0;
  }

  /** Starts a round, unless the last one started a moment ago. */
  ask() {
    const now = Date.now();
    if (now - this.startedAt < PAUSE_MS) return;
    const path = this.roster.pids();
    if (path.length === 0) return;
    // Whoever held the message took it along when it died.
    if (this.current) this.publish({ lost: true });

    this.startedAt = now;
    this.current = { number: ++this.number, path, start: process.hrtime.bigint() };
    this.messenger.sendTo(path[0], HOP, { number: this.number, path, next: 1 });
  }

  /** The message is back. */
  arrive({ number }) {
    if (this.current?.number !== number) return;
    const micros = Number((process.hrtime.bigint() - this.current.start) / 1000n);
    this.publish({ micros });
  }

  publish(result) {
    const { number, path } = this.current;
    this.current = null;
    this.messenger.sendToApp(ROUND, { number, path, ...result });
  }
}

/** A worker's part: pass the message on. */
function passOn(messenger, { number, path, next }) {
  if (next < path.length) messenger.sendTo(path[next], HOP, { number, path, next: next + 1 });
  else messenger.sendToAgent(HOP, { number });
}

module.exports = { Rounds, passOn };
