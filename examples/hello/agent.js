'use strict';

// The agent: one process beside the workers that serves no requests. Here it knows who is alive and tells it to
// the workers, sends a message round, and takes part in the exchange of notes.

const { HERE, ROLL_CALL, ROSTER, DYING, LEAVE, GO_ROUND, HOP } = require('./messages');
const exchangeNotes = require('./notes');
const Roster = require('./roster');
const { Rounds } = require('./rounds');

const GATHER_MS = 20;

module.exports = agent => {
  const { messenger } = agent;
  const bornAt = Date.now();
  const roster = new Roster(`agent-${process.pid}`);
  const rounds = new Rounds(messenger, roster);

  // News come in bursts (a new agent hears from all workers at once); one word to the workers covers a burst.
  let pending = null;
  const publish = () => {
    pending ??= setTimeout(() => {
      pending = null;
      messenger.sendToApp(ROSTER, { agent: { pid: process.pid, bornAt }, ...roster.snapshot() });
    }, GATHER_MS);
  };

  messenger.on('egg-pids', pids => {
    roster.update(pids, Date.now());
    publish();
  });
  messenger.on(HERE, worker => {
    roster.introduce(worker);
    publish();
  });
  messenger.on(DYING, death => {
    roster.announceDeath(death);
    publish();
  });

  // An agent that took over from a dead one finds workers that introduced themselves to its predecessor.
  messenger.once('egg-ready', () => messenger.sendToApp(ROLL_CALL));

  messenger.on(GO_ROUND, () => rounds.ask());
  messenger.on(HOP, hop => rounds.arrive(hop));

  // An exception would not do: an agent survives those, because every worker depends on it.
  messenger.on(LEAVE, () => {
    agent.logger.warn('[hello] the agent leaves, as the page asked');
    process.exit(1);
  });

  exchangeNotes(messenger, { role: 'agent', pid: process.pid });
};
