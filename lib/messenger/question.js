'use strict';

// One question that waits for its answers: a request, which one good answer settles, or a round, to which all have to answer.

const { ClutchError } = require('../errors');
const { fromFar } = require('./far_error');

/**
 * @typedef {object} Result
 * @property {string} pid
 * @property {string | undefined} role
 * @property {number} listeners that have run there
 * @property {Error | null} error
 */

class Question {
  #members;
  #settle;
  #waiting = null;
  #answered = new Map();
  #cleanups = [];

  isSettled = false;
  /** Whether the master has been asked for the sake of this question, and has told who is there. */
  isListFresh = false;
  /** @type {() => string[]} the pids of those that have to answer, as far as they are known */
  receivers = () => [];

  /**
   * @param {object} question
   * @param {string} question.id
   * @param {string} question.action for texts
   * @param {string} question.receiver for texts
   * @param {boolean} question.wantsAll
   * @param {import('./members').Members} question.members
   */
  constructor({ id, action, receiver, wantsAll, members }) {
    this.id = id;
    this.action = action;
    this.receiver = receiver;
    this.wantsAll = wantsAll;
    this.#members = members;
    this.done = new Promise((resolve, reject) => { this.#settle = { resolve, reject }; });
  }

  /** Ends the question after `ms`; its timer is gone with it. */
  limit(ms) {
    const timer = setTimeout(() => this.#runOut(ms), ms);
    this.#cleanups.push(() => clearTimeout(timer));
  }

  /** @param {AbortSignal} signal ends the question with its reason */
  obey(signal) {
    const abort = () => this.fail(signal.reason);
    if (signal.aborted) return void abort();
    signal.addEventListener('abort', abort, { once: true });
    this.#cleanups.push(() => signal.removeEventListener('abort', abort));
  }

  onSettled(act) {
    this.#cleanups.push(act);
  }

  get isExpecting() {
    return this.#waiting !== null;
  }

  /** Who has to answer. Known only when the master has told who is there; answers may have come before. */
  expect(pids) {
    const missing = pids.filter(pid => !this.#answered.has(pid));
    this.#waiting = new Map(missing.map(pid => [pid, this.#members.roleOf(pid)]));
    this.#look();
  }

  /**
   * @param {string} pid of one who will not answer
   * @param {Error} error why
   */
  lose(pid, error) {
    this.#note(pid, this.#waiting?.get(pid) ?? this.#members.roleOf(pid), 0, error);
  }

  isWaitingFor(pid) {
    return this.#waiting?.has(pid) ?? false;
  }

  /** @param {{ pid: string, role: string, value: unknown, error: object | null, listeners: number }} answer */
  answer({ pid, role, value, error, listeners }) {
    if (!error && !this.wantsAll) return this.#end('resolve', value);
    return this.#note(pid, role, listeners, error ? fromFar(error) : null);
  }

  fail(error) {
    this.#end('reject', error);
  }

  get #name() {
    return `"${this.action}"`;
  }

  #note(pid, role, listeners, error) {
    if (this.#answered.has(pid)) return;
    this.#answered.set(pid, { pid, role, listeners, error });
    this.#waiting?.delete(pid);
    this.#look();
  }

  #look() {
    if (this.#waiting === null || this.#waiting.size > 0) return;
    if (this.wantsAll) return void this.#end('resolve', [...this.#answered.values()]);
    const [first] = this.#answered.values();
    this.fail(first?.error ?? new ClutchError('ERR_CLUTCH_NO_RECEIVER', `nobody is there to answer ${this.#name}: ${this.receiver}`));
  }

  #runOut(ms) {
    const late = () => new ClutchError('ERR_CLUTCH_TIMEOUT', `${this.receiver} did not answer ${this.#name} within ${ms} ms`);
    if (!this.wantsAll) return this.fail(late());
    for (const [pid, role] of this.#waiting ?? []) this.#answered.set(pid, { pid, role, listeners: 0, error: late() });
    return this.#end('resolve', [...this.#answered.values()]);
  }

  #end(how, value) {
    if (this.isSettled) return;
    this.isSettled = true;
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
    this.#settle[how](value);
  }
}

module.exports = { Question };
