'use strict';

// An app worker: answers requests, relays what it learns to the pages that watch through it, and crashes on demand.

const cluster = require('node:cluster');
const { CRASH, DYING, GO_ROUND, HOP } = require('./messages');
const Audience = require('./audience');
const View = require('./view');
const exchangeNotes = require('./notes');
const routes = require('./routes');
const { passOn } = require('./rounds');

const ROUND_EVERY_MS = 3000;

module.exports = app => {
  const { messenger, logger } = app;
  const me = {
    role: 'app',
    pid: process.pid,
    id: cluster.worker.id, //      counts every worker ever forked
    place: ownPlace(), //          stays the same when a worker is replaced
    bornAt: Math.round(Date.now() - process.uptime() * 1000),
  };
  const view = new View(messenger, me);
  const audience = new Audience();

  for (const event of ['roster', 'note', 'absence', 'round']) view.on(event, data => audience.tell(event, data));
  exchangeNotes(messenger, me);

  messenger.on(HOP, hop => passOn(messenger, hop));
  const rounds = setInterval(() => {
    if (audience.size > 0) messenger.sendToAgent(GO_ROUND);
  }, ROUND_EVERY_MS);
  rounds.unref();

  messenger.on(CRASH, ({ by }) => {
    messenger.sendToAgent(DYING, { pid: me.pid, why: 'crashed', at: Date.now() });
    // The messenger catches what its listeners throw; a bug in a timer or a callback is caught by nobody.
    setImmediate(() => {
      throw new Error(`crash button, pressed through worker ${by}`);
    });
  });

  // A worker that crashed leaves its channel first and then finishes what it is doing: the watching pages would
  // keep it for half a minute.
  function leave() {
    clearInterval(rounds);
    audience.close();
  }
  process.once('disconnect', leave);
  app.beforeClose(leave);

  app.use(routes({ messenger, me, view, audience, logger }));
};

/** The place of this worker among its brothers; an heir gets the place of the dead. Null where it has none. */
function ownPlace() {
  const place = Number.parseInt(process.env.CFORK_WORKER_INDEX, 10);
  return Number.isSafeInteger(place) ? place : null;
}
