'use strict';

// Questions and answers over a transport that only knows how to send: who is asked, who replies, what is still open, and whom
// to stop waiting for because the master says that he is gone.

const { randomBytes } = require('crypto');
const { ClutchError } = require('../errors');
const { bad, fieldsOf } = require('../options/checks');
const { duration } = require('../options/duration');
const { toFar } = require('./far_error');
const { OWN, readAsker, readRequest, readAnswer, readMembers } = require('./protocol');
const { Question } = require('./question');

const DEFAULT_TIMEOUT = '5s';
// A receiver whose queue was full may never have seen a ping.
const PING_AGAIN_MS = [50, 100, 200, 500, 1000, 2000, 5000, 10000];
// How often it is looked again whether all is read that somebody sent before it ended.
const UNREAD_MS = 2;

/** The words that name receivers, and the roles of those that are meant. */
const ROLES = Object.freeze({ app: ['app'], agent: ['agent'], master: ['master'] });

class Requests {
  #transport;
  #members;
  #send;
  #choose;
  #sending = null;
  #open = new Map();
  #repliers = new Map();
  #prefix = randomBytes(6).toString('base64url');
  #lastNumber = 0;

  /**
   * @param {object} parts
   * @param {import('../messenger').Transport} parts.transport
   * @param {import('./members').Members} parts.members
   * @param {(envelope: object) => boolean | void} parts.send by that transport
   * @param {() => string | null} parts.choose one of the other side by chance
   */
  constructor({ transport, members, send, choose }) {
    this.#transport = transport;
    this.#members = members;
    this.#send = send;
    this.#choose = choose;
    members.watch(gone => this.#noteMembers(gone));
  }

  /** @returns {Promise<unknown>} the answer */
  async request(target, action, data, options) {
    checkAction(action);
    const limits = readLimits(options);
    const { address, receiver, receivers } = this.#receiverOf(target);
    const question = this.#ask({ action, receiver, wantsAll: false, limits, receivers });
    if (question.isSettled) return question.done;
    this.#sendFor(question, [{ action: OWN.REQUEST, data: { asker: this.#asker(question.id), action, data }, ...address }]);
    return question.done;
  }

  /** @returns {Promise<import('./question').Result[]>} of the agent and all apps, when all their listeners have run */
  async acked(action, data, options) {
    checkAction(action);
    return this.#askAll(action, readLimits(options), id => ['app', 'agent'].map(to => ({ action, data, to, receipt: this.#asker(id) })));
  }

  /** @returns {Promise<void>} when everybody has read all that was sent before, or is gone */
  async flush() {
    const messages = id => ['app', 'agent'].map(to => ({ action: OWN.PING, data: this.#asker(id), to }));
    await this.#askAll(OWN.PING, {}, messages, (question, envelopes) => {
      let timer = null;
      const again = step => {
        timer = setTimeout(() => {
          this.#sendFor(question, envelopes);
          if (!question.isSettled) again(Math.min(step + 1, PING_AGAIN_MS.length - 1));
        }, PING_AGAIN_MS[step]).unref();
      };
      again(0);
      question.onSettled(() => clearTimeout(timer));
    });
  }

  /** @param {((data: unknown, from: { pid: string, role: string }) => unknown) | null} replier null takes it away */
  reply(action, replier) {
    checkAction(action);
    if (replier === null) return void this.#repliers.delete(action);
    if (typeof replier !== 'function') throw bad('the replier', replier, 'a function, or null to take it away');
    if (this.#repliers.has(action)) {
      throw new ClutchError('ERR_CLUTCH_OPTION', `somebody replies to ${JSON.stringify(action)} already; take that one away with reply(action, null)`);
    }
    return void this.#repliers.set(action, replier);
  }

  /** Takes in what is no business of the app. @returns {boolean} whether it was that */
  take({ action, data, from }) {
    switch (action) {
      case OWN.REQUEST: return this.#noteRequest(data), true;
      case OWN.ANSWER: return this.#noteAnswer(data), true;
      case OWN.PING: return this.#notePing(data), true;
      case OWN.MEMBERS:
        if (from === 'master') this.#noteList(readMembers(data));
        return true;
      default: return action === OWN.WATCH;
    }
  }

  /**
   * The sender of a message wants to know when its listeners have run.
   * @param {unknown} receipt what the message has under this name
   * @param {Array<Promise<unknown>>} runs one for each listener
   */
  async acknowledge(receipt, runs) {
    const asker = readAsker(receipt);
    if (!asker) return;
    const settled = await Promise.allSettled(runs);
    const failed = settled.find(({ status }) => status === 'rejected');
    this.#answer(asker, { listeners: runs.length, error: failed && toFar(failed.reason) });
  }

  #asker(id) {
    return { id, pid: String(this.#transport.pid), role: this.#transport.role ?? 'unknown' };
  }

  #receiverOf(target) {
    if (target === 'random') {
      if (this.#transport.role === 'app') return this.#receiverOf('agent');
      const pid = this.#choose();
      if (pid === null) throw new ClutchError('ERR_CLUTCH_NO_RECEIVER', 'no app worker is known to choose from');
      return this.#receiverOf(pid);
    }
    if (Object.hasOwn(ROLES, target)) {
      return { address: { to: target }, receiver: `the ${target}`, receivers: () => this.#members.withRole(...ROLES[target]) };
    }
    if (!/^\d+$/.test(String(target)) || !['number', 'string'].includes(typeof target)) {
      throw bad('the target of a request', target, "'agent', 'app', 'random', 'master' or a pid");
    }
    const pid = String(target);
    return { address: { receiverPid: pid }, receiver: pid, receivers: () => (this.#members.has(pid) ? [pid] : []) };
  }

  async #askAll(action, limits, makeEnvelopes, prepare = () => {}) {
    const receivers = () => this.#members.withRole('agent', 'app');
    const question = this.#ask({ action, receiver: 'a receiver', wantsAll: true, limits, receivers });
    if (!question.isSettled) {
      const envelopes = makeEnvelopes(question.id);
      prepare(question, envelopes);
      this.#sendFor(question, envelopes);
    }
    return question.done;
  }

  #ask({ action, receiver, wantsAll, limits, receivers }) {
    const id = `${this.#prefix}${this.#lastNumber += 1}`;
    const question = new Question({ id, action, receiver, wantsAll, members: this.#members });
    question.receivers = receivers;
    question.onSettled(() => this.#open.delete(id));
    if (limits.timeout !== undefined) question.limit(limits.timeout);
    if (limits.signal) question.obey(limits.signal);
    if (!question.isSettled) this.#open.set(id, question);
    return question;
  }

  #sendFor(question, envelopes) {
    this.#watchDrops();
    try {
      this.#sending = question;
      this.#findReceivers(question);
      for (const envelope of envelopes) {
        if (this.#send(envelope) !== false) continue;
        throw new ClutchError('ERR_CLUTCH_NO_RECEIVER', 'this process takes part in no cluster, or its master is gone');
      }
    } catch (error) {
      question.fail(error);
    } finally {
      this.#sending = null;
    }
  }

  // Once there is a switchboard, which may be later than this messenger.
  #watchDrops() {
    this.#transport.switchboard?.meter.watchDrops(this.#noteDrop);
  }

  // A ping is sent again.
  #noteDrop = ({ action, reason, pid }) => {
    const question = this.#sending;
    if (!question || action === OWN.PING) return;
    if (reason === 'too-big') question.fail(new ClutchError('ERR_CLUTCH_MESSAGE_TOO_BIG', `"${question.action}" has more bytes than the arena`));
    else question.lose(pid, new ClutchError('ERR_CLUTCH_QUEUE_FULL', `${pid} does not read, and "${question.action}" has no room in the queue for it`));
  };

  // What the master has told is used where it names somebody. Where it does not, that may be out of date.
  #findReceivers(question) {
    if (question.isExpecting) return;
    const known = this.#members.isComplete ? question.receivers() : [];
    if (known.length > 0) question.expect(known);
    else if (this.#transport.role === 'master') this.#noteFresh(question);
    else this.#send({ action: OWN.WATCH, to: 'master', data: { pid: String(this.#transport.pid), token: question.id } });
  }

  // From now on nobody who is missing in the list is missing for being news, only for not having been started yet.
  #noteFresh(question) {
    question.isListFresh = true;
    this.#expectIfDue(question);
  }

  #expectIfDue(question) {
    if (question.isExpecting || !this.#members.isComplete) return;
    const receivers = question.receivers();
    if (question.isListFresh || receivers.length > 0) question.expect(receivers);
  }

  #noteList(list) {
    if (!list) return;
    this.#members.set(list.members, list.isComplete);
    const question = this.#open.get(list.token);
    if (question) this.#noteFresh(question);
  }

  #noteMembers(gone) {
    for (const pid of gone) this.#lose(pid);
    for (const question of [...this.#open.values()]) this.#expectIfDue(question);
  }

  // What it sent before its end may not have been read yet, the answer among it.
  #lose(pid) {
    const questions = [...this.#open.values()].filter(question => question.isWaitingFor(pid));
    if (questions.length === 0) return;
    if (this.#transport.hasUnread?.(pid)) return void setTimeout(() => this.#lose(pid), UNREAD_MS).unref();
    for (const question of questions) {
      question.lose(pid, new ClutchError('ERR_CLUTCH_NO_RECEIVER', `${pid} ended before it answered "${question.action}"`));
    }
  }

  #noteAnswer(data) {
    const answer = readAnswer(data);
    if (answer) this.#open.get(answer.id)?.answer(answer);
  }

  #notePing(data) {
    const asker = readAsker(data);
    if (asker) this.#answer(asker, {});
  }

  async #noteRequest(data) {
    const request = readRequest(data);
    if (!request) return;
    const { asker, action } = request;
    const replier = this.#repliers.get(action);
    try {
      if (!replier) throw new ClutchError('ERR_CLUTCH_NO_RECEIVER', `${this.#transport.role} ${this.#transport.pid} has no reply to "${action}"`);
      const value = await replier(request.data, { pid: asker.pid, role: asker.role });
      this.#answer(asker, { value });
    } catch (error) {
      this.#answer(asker, { error: toFar(error) });
    }
  }

  #answer({ id, pid, role }, { value, error, listeners }) {
    const address = role === 'master' ? { to: 'master' } : { receiverPid: pid };
    // Its own pid, where the id of the answer is the asker's.
    const data = { ...this.#asker(id), value, error, listeners };
    this.#send({ action: OWN.ANSWER, data, ...address });
  }
}

function checkAction(action) {
  if (typeof action !== 'string' || action === '') throw bad('the action', action, 'a string');
}

function readLimits(options = {}) {
  const { timeout = DEFAULT_TIMEOUT, signal } = fieldsOf('the options of a request', options, ['timeout', 'signal']);
  if (signal !== undefined && !(typeof signal?.addEventListener === 'function' && typeof signal.aborted === 'boolean')) {
    throw bad('signal', signal, 'an AbortSignal');
  }
  return { timeout: duration('timeout', timeout, { min: 1 }), signal };
}

module.exports = { Requests };
