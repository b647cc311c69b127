'use strict';

// Who takes part in the cluster, as the master has told this process, and how each is reached.

const { receiverOf, targetOf } = require('./message_form');

/**
 * @typedef {object} Member
 * @property {number} place
 * @property {number} generation
 * @property {'agent' | 'app'} role
 * @property {string} pid
 * @property {boolean} isJoined whether it can be sent to by the switchboard
 * @property {boolean} isFenced whether it has been told that what comes from here comes by the switchboard
 * @property {boolean} isOpen whether it has told the same
 */

/** Those that are named together in a message. */
class Receivers {
  /** Their places, as soon as all can be sent to and need nothing before. */
  places = null;

  constructor(members) {
    this.members = members;
  }
}

class Roster {
  #role;
  #byPlace = new Map();
  #byPid = new Map();
  #apps = new Receivers([]);
  #agent = null;

  /** @param {'agent' | 'app'} role of this process */
  constructor(role) {
    this.#role = role;
  }

  /** As the master's router would choose them. @returns {Receivers | null} null where it must be asked */
  receiversOf({ to, receiverPid, receiverWorkerId }) {
    const byWorkerId = receiverOf(receiverWorkerId);
    const pid = byWorkerId === undefined ? receiverOf(receiverPid) : byWorkerId;
    if (pid !== undefined) return this.withPid(pid) ?? null;
    const target = targetOf(to) ?? (this.#role === 'agent' ? 'app' : 'agent');
    if (target === 'app') return this.#apps;
    return target === 'agent' ? this.#agent : null;
  }

  /** @returns {Member | undefined} */
  at(place) {
    return this.#byPlace.get(place);
  }

  /** @returns {Receivers | undefined} */
  withPid(pid) {
    return this.#byPid.get(pid);
  }

  get members() {
    return this.#byPlace.values();
  }

  note({ kind, place, generation, role, pid }) {
    if (kind === 'expected') this.#add({ place, generation, role, pid: String(pid), isJoined: false, isFenced: false, isOpen: false });
    else if (kind === 'joined') this.#add({ place, generation, role, pid: String(pid), isJoined: true, isFenced: false, isOpen: false });
    else this.#remove(place, generation, kind);
  }

  #add(member) {
    const before = this.#byPlace.get(member.place);
    if (before) this.#forget(before);
    this.#byPlace.set(member.place, member);
    const alone = new Receivers([member]);
    this.#byPid.set(member.pid, alone);
    if (member.role === 'agent') this.#agent = alone;
    else this.#apps = new Receivers([...this.#apps.members, member]);
  }

  #remove(place, generation, kind) {
    const member = this.#byPlace.get(place);
    if (!member || member.generation !== generation) return;
    // One that cannot be believed is still there, and is reached by the channel.
    if (kind !== 'broken') return this.#forget(member);
    member.isJoined = false;
    this.#apps = new Receivers(this.#apps.members);
    for (const alone of [this.#byPid.get(member.pid), this.#agent]) {
      if (alone?.members[0] === member) alone.places = null;
    }
  }

  #forget(member) {
    this.#byPlace.delete(member.place);
    if (this.#byPid.get(member.pid)?.members[0] === member) this.#byPid.delete(member.pid);
    if (this.#agent?.members[0] === member) this.#agent = null;
    this.#apps = new Receivers(this.#apps.members.filter(other => other !== member));
  }
}

module.exports = { Roster };
