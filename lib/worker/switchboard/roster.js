'use strict';

// Who takes part in the cluster, as the master has told this process, and how each is reached.

/**
 * @typedef {object} Member
 * @property {number} place
 * @property {number} generation
 * @property {'agent' | 'app'} role
 * @property {string} pid
 * @property {boolean} isJoined whether it can be sent to by the switchboard
 * @property {boolean} isFenced whether it has been told that what comes from here comes by the switchboard
 */

class Roster {
  #byPlace = new Map();
  #byPid = new Map();
  #apps = [];
  #agent = null;

  /** @returns {Member | undefined} */
  at(place) {
    return this.#byPlace.get(place);
  }

  /** @returns {Member | undefined} */
  withPid(pid) {
    return this.#byPid.get(pid);
  }

  get apps() {
    return this.#apps;
  }

  get agent() {
    return this.#agent;
  }

  get members() {
    return this.#byPlace.values();
  }

  note({ kind, place, generation, role, pid }) {
    if (kind === 'expected') this.#add({ place, generation, role, pid: String(pid), isJoined: false, isFenced: false });
    else if (kind === 'joined') this.#add({ place, generation, role, pid: String(pid), isJoined: true, isFenced: false });
    else this.#remove(place, generation, kind);
  }

  #add(member) {
    const before = this.#byPlace.get(member.place);
    if (before) this.#forget(before);
    this.#byPlace.set(member.place, member);
    this.#byPid.set(member.pid, member);
    if (member.role === 'agent') this.#agent = member;
    else this.#apps.push(member);
  }

  #remove(place, generation, kind) {
    const member = this.#byPlace.get(place);
    if (!member || member.generation !== generation) return;
    // One that cannot be believed is still there, and is reached by the channel.
    if (kind === 'broken') member.isJoined = false;
    else this.#forget(member);
  }

  #forget(member) {
    this.#byPlace.delete(member.place);
    if (this.#byPid.get(member.pid) === member) this.#byPid.delete(member.pid);
    if (this.#agent === member) this.#agent = null;
    this.#apps = this.#apps.filter(other => other !== member);
  }
}

module.exports = { Roster };
