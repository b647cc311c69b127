'use strict';

// Who is alive, who died, and who took over. Lives in the agent. Two sources are put together here: the master
// says which pids serve (`egg-pids`), the workers say who they are (`hello:here`). Either may come first.

const DEATHS_KEPT = 12;
const DETAILS_KEPT = 256;

class Roster {
  /** @param {string} name makes the ids of deaths differ from those of an earlier agent */
  constructor(name) {
    this.name = name;
    this.serving = new Map(); // pid → when the master reported it
    this.details = new Map(); // pid → what the worker said about itself
    this.dying = new Map(); //   pid → its entry in `deaths`
    this.deaths = []; //         newest last
    this.counter = 0;
  }

  /** A worker introduced itself. */
  introduce(worker) {
    this.details.set(worker.pid, worker);
    // A word that arrives after its sender's death would stay for ever.
    if (this.details.size > DETAILS_KEPT) this.details.delete(this.details.keys().next().value);
    if (this.serving.has(worker.pid)) this.fillVacancy(worker.pid);
  }

  /** A worker said that it is going to die. The clock of its replacement starts here. */
  announceDeath({ pid, why, at }) {
    if (!this.dying.has(pid)) this.recordDeath(pid, why, at);
  }

  /** The master said which pids serve now. */
  update(pids, now) {
    const present = new Set(pids);
    for (const pid of this.serving.keys()) {
      if (present.has(pid)) continue;
      if (!this.dying.has(pid)) this.recordDeath(pid, 'is gone', now);
      this.serving.delete(pid);
      this.details.delete(pid);
      this.dying.delete(pid);
    }
    for (const pid of pids) {
      if (this.serving.has(pid)) continue;
      this.serving.set(pid, now);
      if (this.details.has(pid)) this.fillVacancy(pid);
    }
  }

  /** What the page shows. */
  snapshot() {
    const workers = [];
    for (const pid of this.serving.keys()) {
      const worker = this.details.get(pid);
      if (worker) workers.push({ ...worker, dying: this.dying.has(pid) });
    }
    workers.sort((a, b) => a.place - b.place || a.id - b.id);
    return { workers, deaths: this.deaths };
  }

  /** The pids that can be talked to, in the order of their places. */
  pids() {
    return this.snapshot().workers.filter(worker => !worker.dying).map(worker => worker.pid);
  }

  recordDeath(pid, why, at) {
    const { id = null, place = null } = this.details.get(pid) || {};
    const key = `${this.name}-${++this.counter}`;
    const death = { key, pid, id, place, why, at, heir: null, heirId: null, took: null };
    this.deaths.push(death);
    if (this.deaths.length > DEATHS_KEPT) this.deaths.shift();
    if (this.serving.has(pid)) this.dying.set(pid, death);

    // A reload starts the new worker before it stops the old one.
    const heir = this.snapshot().workers.find(worker => worker.place === place && worker.pid !== pid && !worker.dying);
    if (heir) this.settle(death, heir);
  }

  /** A new worker took the place of a dead one: by number, or the longest empty place where it has no number. */
  fillVacancy(pid) {
    const worker = this.details.get(pid);
    const open = this.deaths.filter(death => death.heir === null && death.pid !== pid);
    const death = open.find(entry => entry.place === worker.place) || (worker.place === null ? open[0] : undefined);
    if (worker.place === null) worker.place = death ? death.place : this.freePlace();
    if (death) this.settle(death, worker);
  }

  settle(death, heir) {
    death.heir = heir.pid;
    death.heirId = heir.id;
    death.took = Math.max(0, this.serving.get(heir.pid) - death.at);
  }

  freePlace() {
    const taken = new Set(this.snapshot().workers.map(worker => worker.place));
    let place = 0;
    while (taken.has(place)) place++;
    return place;
  }
}

module.exports = Roster;
