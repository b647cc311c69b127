'use strict';

// A worker's messages to other workers by shared memory, behind process.send() and process.on('message'): who uses these, be it egg's
// own messenger, sees no difference but the speed. Whatever cannot go this way goes by Node's channel, and order is kept across the
// two for each sender and receiver.

const { EnvelopeWriter, EnvelopeReader, FLAG } = require('./envelope');
const { Roster } = require('./roster');

// One turn takes so many messages at most, so that sockets and timers get theirs.
const MESSAGES_A_TURN = 64;
// What found no room is tried again this often, and whenever somebody writes to us.
const RETRY_MS = 2;
// Memory that was needed once is given back when nothing was sent for so long.
const TIDY_MS = 1000;
const HEAD_DOUBLES = 6;
const SEND_HEAD_DOUBLES = 5;

// What the native side answers to a message; 0 is that all have it.
const WAITS = 1;
const REFUSED = -1;
const TOO_BIG = -2;

const NOTHING = Symbol('nothing');

const PLAIN_KEYS = new Set(['action', 'data', 'to', 'from', 'receiverPid', 'receiverWorkerId']);
// Such a name has no form of its own in shared memory: NUL ends one, and half a surrogate pair is no UTF-8.
const ODD_NAME = /[\0\ud800-\udfff]/;

class Switchboard {
  #endpoint;
  #process;
  #role;
  #sendByChannel;
  #roster = new Roster();
  #writer = new EnvelopeWriter();
  #isWriting = false;
  #reader = new EnvelopeReader();
  #head = new Float64Array(HEAD_DOUBLES);
  #headBytes = Buffer.from(this.#head.buffer);
  #sendHead = new Float64Array(SEND_HEAD_DOUBLES);
  #sendHeadBytes = Buffer.from(this.#sendHead.buffer);
  #isTurnDue = false;
  #retry = null;
  #tidy = null;
  #isUntidy = false;
  #logger;
  #emit;
  // Those that have ended, until all that they sent is taken.
  #leaving = new Map();

  dropped = 0;

  /**
   * @param {object} options
   * @param {(onWake: () => void) => object} options.join makes the native endpoint
   * @param {'agent' | 'app'} options.role
   * @param {NodeJS.Process} options.proc
   * @param {{ warn: Function }} options.logger
   */
  constructor({ join, role, proc, logger }) {
    this.#role = role;
    this.#process = proc;
    this.#logger = logger;
    this.#sendByChannel = proc.send.bind(proc);
    this.#endpoint = join(() => this.#wake());
    proc.send = (...args) => this.send(...args);
    this.#emit = proc.emit.bind(proc);
    proc.emit = (...args) => {
      if (args[0] === 'message') this.#catchUp();
      return this.#emit(...args);
    };
    proc.prependListener('internalMessage', message => this.#noteInternal(message));
    proc.on('newListener', event => {
      if (event === 'message') this.#takeTurn();
    });
  }

  /** In the place of process.send(), with its arguments, its answers and its errors. */
  send(message, handle, options, callback) {
    if (!this.#process.connected) return this.#sendByChannel(message, handle, options, callback);
    if (handle && typeof handle !== 'function') return this.#sendWithHandle(message, handle, options, callback);
    const done = [handle, options, callback].find(argument => typeof argument === 'function');
    if (!this.#route(message)) return this.#sendByChannel(message, handle, options, callback);
    if (done) process.nextTick(done, null);
    return true;
  }

  // A handle ends in the master, which has the message go on without it. So only the handle has to go there, and the message stays in
  // order with the others.
  #sendWithHandle(message, handle, options, callback) {
    const receivers = typeof message === 'string' ? this.#defaultReceivers() : isPlainObject(message) && this.#receiversOf(message);
    const isReachable = receivers && receivers.length > 0 && receivers.every(receiver => receiver.isJoined);
    if (!isReachable) return this.#sendByChannel(message, handle, options, callback);
    // First, because it throws what Node has against the handle.
    const answer = this.#sendByChannel({ to: 'nobody' }, handle, options, callback);
    if (!this.#route(message)) this.#sendByChannel(message, undefined, undefined, () => {});
    return answer;
  }

  /** @returns {boolean} false where the whole message must go by the channel */
  #route(message) {
    if (typeof message === 'string') return this.#route({ action: message, data: message });
    if (!isPlainObject(message) || typeof message.toJSON === 'function') return false;
    if (typeof message.cmd === 'string' && message.cmd.startsWith('NODE_')) return false;
    const receivers = this.#receiversOf(message);
    if (receivers === null) return false;
    if (!isPlainEnvelope(message)) return this.#sendWhole(receivers, message);
    return this.#sendTo(receivers, message.action, message.data, flagsOf(message), message);
  }

  #defaultReceivers() {
    return this.#role === 'agent' ? this.#roster.apps : this.#agentOnly();
  }

  #agentOnly() {
    return this.#roster.agent ? [this.#roster.agent] : null;
  }

  /** As the master's router would choose them; null where it must be asked. */
  #receiversOf({ to, receiverPid, receiverWorkerId }) {
    const pid = receiverWorkerId ?? receiverPid;
    if (pid !== undefined) {
      const member = typeof pid === 'string' ? this.#roster.withPid(pid) : undefined;
      return member ? [member] : null;
    }
    if (to === undefined) return this.#defaultReceivers();
    if (to === 'app') return this.#roster.apps;
    return to === 'agent' ? this.#agentOnly() : null;
  }

  #sendWhole(receivers, message) {
    const [first] = receivers;
    if (!first) return false;
    return this.#sendTo(receivers, '', { ...message, to: first.role, from: this.#role }, FLAG.WHOLE, message);
  }

  #sendTo(receivers, action, data, flags, message) {
    if (!receivers || receivers.length === 0) return false;
    // Nobody has joined yet: the channel brings it to all.
    if (!receivers.some(receiver => receiver.isJoined)) return false;
    const writer = this.#isWriting ? new EnvelopeWriter() : this.#writer;
    const wasWriting = this.#isWriting;
    this.#isWriting = true;
    try {
      writer.write(action, data, flags);
    } finally {
      this.#isWriting = wasWriting;
    }
    const places = [];
    for (const receiver of receivers) {
      if (!receiver.isJoined) this.#sendToUnjoined(receiver, message);
      else {
        this.#fence(receiver);
        places.push(receiver.place);
      }
    }
    if (places.length) this.#publish(writer, places);
    return true;
  }

  // By the channel, to this one alone; the router fills in what the receiver would have seen.
  #sendToUnjoined({ pid }, message) {
    this.#sendByChannel({ ...message, receiverPid: pid }, undefined, undefined, () => {});
  }

  // What went to it by the channel must be there first.
  #fence(receiver) {
    if (receiver.isFenced) return;
    receiver.isFenced = true;
    const { place, generation } = receiver;
    this.#sendByChannel({ cmd: 'NODE_CLUTCH', act: 'fence', place, generation }, undefined, undefined, () => {});
  }

  #put(places, { kind, flags, nameLength, length, number, bytes }) {
    const head = this.#sendHead;
    head[0] = kind;
    head[1] = flags;
    head[2] = nameLength;
    head[3] = length;
    head[4] = number;
    return this.#endpoint.send(Uint32Array.from(places), this.#sendHeadBytes, bytes);
  }

  #publish(writer, places) {
    const outcome = this.#put(places, writer);
    this.#isUntidy = true;
    if (!this.#tidy) this.#tidy = this.#later(TIDY_MS, () => this.#tidyUp());
    if (outcome === WAITS || outcome === REFUSED) this.#retryLater();
    if (outcome === REFUSED) this.#drop('so many wait for a process that does not read');
    else if (outcome === TOO_BIG) this.#drop(`one of ${writer.length} bytes is larger than the shared memory`);
  }

  #retryLater() {
    if (this.#retry) return;
    this.#retry = this.#later(RETRY_MS, () => {
      this.#retry = null;
      if (!this.#endpoint.flush()) this.#retryLater();
    });
  }

  #drop(reason) {
    this.dropped += 1;
    // One line for the first and then for every power of two.
    if (Number.isInteger(Math.log2(this.dropped))) this.#logger.warn(`[messenger] a message was dropped: ${reason} (${this.dropped} so far)`);
  }

  #later(ms, act) {
    return setTimeout(act, ms).unref();
  }

  #tidyUp() {
    this.#tidy = null;
    this.#endpoint.tidy();
    if (!this.#isUntidy) return;
    this.#isUntidy = false;
    this.#tidy = this.#later(TIDY_MS, () => this.#tidyUp());
  }

  #noteInternal(message) {
    if (message?.cmd !== 'NODE_CLUTCH' || message.act !== 'fence') return;
    this.#hear();
    this.#endpoint.open(message.place, message.generation);
    this.#takeTurn();
  }

  #wake() {
    this.#endpoint.wake();
    this.#hear();
    this.#receive();
  }

  #hear() {
    for (const news of this.#endpoint.hear()) {
      if (news.kind !== 'expected' && news.kind !== 'joined') this.#part(news);
      this.#roster.note(news);
    }
  }

  /** Whether something that a process sent may still come, although its end is known otherwise. */
  hasUnread(pid) {
    if (this.#roster.withPid(pid)?.isJoined) return true;
    return [...this.#leaving.values()].some(member => member.pid === pid);
  }

  #part({ kind, place, generation }) {
    const member = this.#roster.at(place);
    if (member?.generation !== generation) return;
    if (kind !== 'gone' || !member.isJoined) return;
    this.#leaving.set(place, member);
    this.#takeTurn();
  }

  /** Looks for messages in a turn of its own. */
  #takeTurn() {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    setImmediate(() => {
      this.#isTurnDue = false;
      this.#wake();
    });
  }

  #receive() {
    // Each in a tick of its own, as Node emits what its channel brings.
    this.#receiveFor(message => process.nextTick(this.#emit, 'message', message, undefined));
  }

  /**
   * Before anything that the channel brings: it may speak of a process that only the master's news have told of, and whoever caused it may
   * have caused messages here before.
   */
  #catchUp() {
    this.#hear();
    this.#receiveFor(message => {
      try {
        this.#emit('message', message, undefined);
      } catch (error) {
        // Uncaught, as it would be in a tick of its own.
        process.nextTick(() => { throw error; });
      }
    });
  }

  #receiveFor(deliver) {
    // As Node's channel: nothing is taken before somebody listens.
    if (this.#process.listenerCount('message') === 0) return;
    for (let taken = 0; taken < MESSAGES_A_TURN; taken++) {
      const message = this.#receiveOne();
      if (message === NOTHING) {
        this.#endTurn();
        return;
      }
      if (message !== undefined && this.#process.connected) deliver(message);
    }
    this.#takeTurn();
  }

  #endTurn() {
    for (const place of this.#leaving.keys()) this.#endpoint.letGo(place);
    this.#leaving.clear();
    if (!this.#endpoint.maySleep()) this.#takeTurn();
  }

  /** The next message; NOTHING where there is none, undefined where it could not be read. */
  #receiveOne() {
    let found = this.#endpoint.receive(this.#reader.bytes, this.#headBytes);
    if (found < 0) {
      this.#reader.ensure(-found);
      found = this.#endpoint.receive(this.#reader.bytes, this.#headBytes);
    }
    if (found <= 0) return NOTHING;
    const [place, kind, flags, nameLength, length, number] = this.#head;
    return this.#read(place, flags, { kind, nameLength, length, number });
  }

  #read(place, flags, payload) {
    let data;
    try {
      data = this.#reader.readData(payload);
    } catch (error) {
      this.#drop(error.message);
      return undefined;
    }
    if (flags & FLAG.WHOLE) return data;
    const message = { action: this.#reader.readName(payload.nameLength) };
    if (data !== undefined) message.data = data;
    if (flags & FLAG.BY_PID) message.receiverPid = String(this.#process.pid);
    if (flags & FLAG.BY_WORKER_ID) message.receiverWorkerId = String(this.#process.pid);
    message.to = this.#role;
    message.from = this.#roster.at(place)?.role ?? this.#leaving.get(place)?.role;
    return message;
  }
}

function flagsOf({ receiverPid, receiverWorkerId }) {
  return (receiverPid === undefined ? 0 : FLAG.BY_PID) | (receiverWorkerId === undefined ? 0 : FLAG.BY_WORKER_ID);
}

function isPlainObject(value) {
  if (value === null || typeof value !== 'object') return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Whether a message has only what has a place of its own in shared memory. */
function isPlainEnvelope(message) {
  if (typeof message.action !== 'string' || ODD_NAME.test(message.action)) return false;
  const { receiverPid, receiverWorkerId } = message;
  if (receiverPid !== undefined && receiverWorkerId !== undefined && receiverPid !== receiverWorkerId) return false;
  for (const key of Object.keys(message)) {
    if (!PLAIN_KEYS.has(key)) return false;
  }
  return true;
}

module.exports = { Switchboard };
