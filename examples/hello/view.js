'use strict';

// What one worker knows of the cluster. Workers share no memory: each of them learns the same things through the
// messenger and can therefore tell a page the whole story, also one that was connected to another worker before.

const { EventEmitter } = require('node:events');
const { HERE, ROLL_CALL, ROSTER, SENT, RECEIPT, ROUND } = require('./messages');

const NOTES_KEPT = 40;
const ABSENCES_KEPT = 6;

/** Emits 'roster', 'note', 'absence' and 'round' with what the page is to be told. */
class View extends EventEmitter {
  constructor(messenger, me) {
    super();
    this.messenger = messenger;
    this.me = me;
    this.roster = { agent: null, workers: [], deaths: [] };
    this.notes = new Map(); // id → note with its receipts, oldest first
    this.absences = []; //     times without an agent
    this.round = null;
    this.listen();
  }

  listen() {
    const { messenger } = this;
    // The agent is told once this worker serves; before that nobody can be routed to it.
    messenger.once('egg-ready', () => messenger.sendToAgent(HERE, this.me));
    messenger.on(ROLL_CALL, () => messenger.sendToAgent(HERE, this.me));

    messenger.on(ROSTER, roster => {
      this.roster = roster;
      this.emit('roster', roster);
    });
    messenger.on('egg-pids', pids => this.handleAgent(pids[0] ?? null));
    messenger.on(SENT, note => this.tellNote(note));
    messenger.on(RECEIPT, ({ note, by, once }) => this.tellNote(note, { ...by, once }));
    messenger.on(ROUND, round => {
      this.round = round;
      this.emit('round', round);
    });
  }

  /** Everything, for a page that has just connected. */
  snapshot() {
    return { ...this.roster, absences: this.absences, notes: [...this.notes.values()], round: this.round };
  }

  /** True for a process that a message can be sent to. */
  knows(pid) {
    return pid === this.roster.agent?.pid || this.knowsWorker(pid);
  }

  knowsWorker(pid) {
    return this.roster.workers.some(worker => worker.pid === pid && !worker.dying);
  }

  /** Workers hear of the agent through `egg-pids`: no pid when it died, one when the next one serves. */
  handleAgent(pid) {
    const last = this.absences.at(-1);
    const now = Date.now();
    if (pid === null) {
      const gone = this.roster.agent?.pid ?? null;
      this.roster = { ...this.roster, agent: null };
      this.absences.push({ key: `agent-${gone}-${now}`, pid: gone, at: now, heir: null, took: null });
      if (this.absences.length > ABSENCES_KEPT) this.absences.shift();
      this.emit('absence', this.absences.at(-1));
    } else if (last && last.heir === null) {
      last.heir = pid;
      last.took = now - last.at;
      this.emit('absence', last);
    }
  }

  /** A receipt can overtake the word that its note was sent: they come from different processes. */
  tellNote(note, receipt) {
    if (!this.notes.has(note.id)) {
      this.notes.set(note.id, { ...note, receipts: [] });
      if (this.notes.size > NOTES_KEPT) this.notes.delete(this.notes.keys().next().value);
    }
    const known = this.notes.get(note.id);
    if (receipt) known.receipts.push(receipt);
    this.emit('note', known);
  }
}

module.exports = View;
