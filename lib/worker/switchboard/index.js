'use strict';

// A worker's messages to other workers by shared memory, behind process.send() and process.on('message'): who uses these, be it egg's
// own messenger, sees no difference but the speed. Whatever cannot go this way goes by Node's channel, and order is kept across the
// two for each sender and receiver.

const { says, wordOf } = require('../clutch_word');
const { Audience } = require('./audience');
const { FLAG, MAX_RECEIVERS, REST, SENT, Desk } = require('./envelope');
const { EnvelopeReader } = require('./envelope_reader');
const { EnvelopeWriter } = require('./envelope_writer');
const { areArguments, flagsOf, isName, isPlainObject, isPlainEnvelope, plainOf } = require('./message_form');
const { Leaving } = require('./leaving');
const { lender } = require('./lender');
const { Meter } = require('./meter');
const { Roster } = require('./roster');
const { Surplus } = require('./surplus');
const { Tidying } = require('./tidying');
const { ALL_SENT, Written } = require('./written');

// Where memory has been announced and does not come, it is looked for this often.
const KEPT_WAITING_MS = 1000;
// One turn takes so much at most, so that sockets and timers get theirs.
const MESSAGES_A_TURN = 64;
const BYTES_A_TURN = 1024 * 1024;

const MAX_NAMES = 4096;
const NO_NUMBER = -1;

class Switchboard {
  #endpoint;
  #calls;
  #process;
  #role;
  #sendByChannel;
  #letPass;
  #roster;
  #desk = new Desk();
  #writer;
  #writing = 0;
  #clones;
  #reader;
  #numbers = new Map();
  #isReady = false;
  #isTurnDue = false;
  // Messages that have been taken and not been delivered yet.
  #pending = 0;
  #isTurnMissed = false;
  #tidying;
  #logger;
  #emit;
  #written;
  #sent = ALL_SENT;
  #deliver = index => this.#deliverOne(index);
  #leaving = new Leaving();
  audience;
  surplus;

  /**
   * @param {object} options
   * @param {(desk: Desk, onMessages: () => void, onNews: () => void) => object} options.join makes the native endpoint
   * @param {'agent' | 'app'} options.role
   * @param {NodeJS.Process} options.proc
   * @param {(about: string, text: string) => boolean} [options.leaveWord] for the master to read at the end; false where it cannot
   * @param {{ warn: Function }} options.logger
   * @param {boolean} [options.clones] whether data travels as structured clone, and not as JSON
   */
  constructor({ join, role, proc, leaveWord = () => false, logger, clones = false }) {
    this.audience = new Audience(proc);
    this.#clones = clones;
    this.#role = role;
    this.#roster = new Roster(role);
    this.#process = proc;
    this.#logger = logger;
    this.#sendByChannel = proc.send.bind(proc);
    this.#endpoint = join(this.#desk, () => this.#turn(), () => this.#noteNews());
    const tell = envelope => proc.connected && (this.#sendByChannel(envelope, undefined, undefined, () => {}), true);
    /** Counts what goes this way, and what does not. */
    this.meter = new Meter({ endpoint: this.#endpoint, who: { pid: String(proc.pid), role }, tell, leaveWord, logger });
    this.#letPass = this.meter.counting(this.#sendByChannel);
    this.#written = new Written(this.#endpoint);
    this.surplus = new Surplus({ endpoint: this.#endpoint, proc, watchers: [this.#written, this.meter.backlog] });
    this.#calls = this.#endpoint.calls();
    this.alloc = lender(this.#desk, this.#calls);
    this.#writer = new EnvelopeWriter(this.#desk, this.#calls, clones);
    this.#reader = new EnvelopeReader(this.#desk, this.#calls, number => this.#endpoint.action(number));
    this.#tidying = new Tidying(() => [this.#endpoint, this.#writer, this.#reader].forEach(part => part.tidy()));
    proc.send = (message, handle, options, callback) => this.send(message, handle, options, callback);
    this.#emit = proc.emit.bind(proc);
    proc.emit = (...args) => {
      if (args[0] === 'message') {
        this.#catchUp();
        this.meter.noteHeard(args[1]);
        if (args[1]?.action === 'egg-ready') this.#isReady = true;
      }
      if (args[0] === 'disconnect') this.surplus.finish();
      if (args[0] === 'beforeExit') this.surplus.linger();
      if (args[0] === 'exit') return this.#leave(args);
      return this.#emit(...args);
    };
    proc.prependListener('internalMessage', message => this.#noteInternal(message));
    proc.on('newListener', event => {
      if (event === 'message') this.#takeTurn();
    });
    this.#takeTurn();
  }

  /** In the place of process.send(), with its arguments, its answers and its errors. */
  send(message, handle, options, callback) {
    // Before egg-ready the master keeps what is for apps that are not there yet, so it must see it.
    const isOurs = this.#process.connected && this.#isReady && areArguments(handle, options);
    const plain = isOurs ? plainOf(message) : undefined;
    if (plain === undefined) return this.#letPass(message, handle, options, callback);
    if (handle && typeof handle !== 'function') return this.#sendWithHandle(plain, handle, options, callback);
    this.#sent = ALL_SENT;
    if (!this.#route(plain)) return this.#letPass(message, handle, options, callback);
    if ((handle ?? options ?? callback) !== undefined) this.#written.confirm([handle, options, callback], this.#sent);
    return true;
  }

  // A handle ends in the master, which has the message go on without it. So only the handle has to go there, and the message stays in
  // order with the others.
  #sendWithHandle(message, handle, options, callback) {
    const receivers = this.#roster.receiversOf(message);
    const isReachable = receivers && receivers.members.length > 0 && receivers.members.every(member => member.isJoined);
    if (!isReachable) return this.#letPass(message, handle, options, callback);
    // First, because it throws what Node has against the handle.
    const answer = this.#sendByChannel({ to: 'nobody' }, handle, options, callback);
    if (!this.#route(message)) this.#letPass(message, undefined, undefined, () => {});
    return answer;
  }

  /** @returns {boolean} false where the whole message must go by the channel */
  #route(message) {
    if (typeof message.cmd === 'string' && message.cmd.startsWith('NODE_')) return false;
    const receivers = this.#roster.receiversOf(message);
    if (receivers === null) return false;
    const action = isPlainEnvelope(message) ? this.#numberOf(message.action) : NO_NUMBER;
    if (action === NO_NUMBER) return this.#sendWhole(receivers, message);
    return this.#sendTo(receivers, action, message.data, flagsOf(message), message);
  }

  /** The number of an action; NO_NUMBER where it has none, and must be sent as data. */
  #numberOf(action) {
    const known = this.#numbers.get(action);
    if (known !== undefined) return known;
    const number = isName(action) ? this.#endpoint.numberOf(action) : NO_NUMBER;
    if (this.#numbers.size < MAX_NAMES) this.#numbers.set(action, number);
    return number;
  }

  #sendWhole(receivers, message) {
    const [first] = receivers.members;
    if (!first) return false;
    const whole = { ...message, to: first.role, from: this.#role };
    return this.#sendTo(receivers, this.#numberOf(''), whole, FLAG.WHOLE, message);
  }

  #sendTo(receivers, action, data, flags, message) {
    // Nobody has joined yet: the channel brings it to all.
    if (receivers.places === null && !receivers.members.some(member => member.isJoined)) return false;
    const writer = this.#writing++ > 0 ? new EnvelopeWriter(this.#desk, this.#calls, this.#clones) : this.#writer;
    let places;
    try {
      writer.write(data, flags & FLAG.WHOLE ? '' : 'data');
      // The channel asks for the form once more.
      places = receivers.places ?? this.#placesOf(receivers, message);
    } finally {
      this.#writing -= 1;
    }
    if (places.length) this.#publish(writer, action, flags, places, message.action);
    return true;
  }

  /** The places of those that can be sent to; the others get the message by the channel. */
  #placesOf(receivers, message) {
    const places = [];
    for (const member of receivers.members) {
      if (!member.isJoined) this.#sendToUnjoined(member, message);
      else {
        this.#fence(member);
        places.push(member.place);
      }
    }
    if (places.length === receivers.members.length && places.length <= MAX_RECEIVERS) receivers.places = places;
    return places;
  }

  // By the channel, to this one alone; the router fills in what the receiver would have seen.
  #sendToUnjoined({ pid }, message) {
    this.#sendByChannel({ ...message, receiverPid: pid }, undefined, undefined, () => {});
  }

  // What went to it by the channel must be there first.
  #fence(receiver) {
    if (receiver.isFenced) return;
    receiver.isFenced = true;
    this.#sendByChannel(wordOf('fence', { place: receiver.place, generation: receiver.generation }), undefined, undefined, () => {});
  }

  #publish(writer, action, flags, places, name) {
    const { length } = writer;
    const outcome = writer.post(action, this.meter.flagsFor(flags), places);
    this.meter.traffic.noteSent(name, length);
    this.#tidying.note();
    this.#sent = outcome === SENT.ALL ? ALL_SENT : { outcome, places };
    if (outcome === SENT.WAITS || outcome === SENT.REFUSED) {
      this.surplus.note();
      this.meter.backlog.look();
    }
    if (outcome === SENT.REFUSED) this.#noteUnsent(name, 'queue-full', this.#endpoint.takeRefused());
    else if (outcome === SENT.TOO_BIG) this.#noteUnsent(name, 'too-big', places, `one of ${length} bytes is larger than the shared memory`);
  }

  #noteUnsent(action, reason, places, text = 'so many wait for a process that does not read') {
    this.meter.noteDropped({ action, reason, text, receivers: places.map(place => this.#roster.at(place)) });
  }

  /** This process ends; those who listen for that may send something, too. */
  #leave(exit) {
    try {
      return this.#emit(...exit);
    } finally {
      this.#endpoint.leave();
      for (const member of this.#roster.members) this.#noteLost(member, 'sender-ended');
      this.meter.tellDropped();
    }
  }

  #noteLost(member, reason) {
    return this.meter.noteLost(this.#endpoint.takeLost(member.place, member.generation), member, reason);
  }

  #noteInternal(message) {
    if (!says(message, 'fence')) return;
    this.#hear();
    const { place, generation } = message;
    const member = this.#roster.at(place) ?? this.#leaving.at(place);
    if (member?.generation === generation) member.isOpen = true;
    this.#endpoint.open(place, generation);
    this.#takeTurn();
  }

  #noteNews() {
    this.#hear();
    // A message may have waited for memory that has come now.
    this.#turn();
  }

  #hear() {
    for (const news of this.#endpoint.hear()) {
      if (news.kind === 'expected' || news.kind === 'joined') this.#leaving.forget(news.place);
      else this.#part(news);
      if (news.kind !== 'lost') this.#roster.note(news);
    }
  }

  /** Whether something that a process sent may still come, although its end is known otherwise. */
  hasUnread(pid) {
    return Boolean(this.#roster.withPid(pid)?.members[0].isJoined) || this.#leaving.has(pid);
  }

  #part({ kind, place, generation }) {
    const member = this.#roster.at(place) ?? this.#leaving.at(place);
    if (member?.generation !== generation) return;
    // It has grown by copies of its attachments, and there is no such memory.
    if (kind === 'lost') this.#noteLost(member, 'too-big');
    if (kind === 'broken') {
      const lost = this.#noteLost(member, 'set-apart');
      this.#logger.warn(`[messenger] messages to and from ${member.pid} go by the master from now on, ${lost} to it are lost in shared memory`);
    }
    if (!['left', 'gone'].includes(kind) || !member.isJoined) return;
    this.#leaving.add(member);
    if (kind === 'gone') this.#leaving.noteEnd(place);
    this.#takeTurn();
  }

  /** Looks for messages in a turn of its own. */
  #takeTurn() {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    setImmediate(() => {
      this.#isTurnDue = false;
      this.#turn();
    });
  }

  /** Takes what has come, each message in a tick of its own, as Node emits what its channel brings. */
  #turn(taken = 0, bytes = 0) {
    // As Node's channel: nothing is taken before somebody listens.
    if (this.#process.listenerCount('message') === 0) return;
    if (this.#pending > 0) {
      // An exception has put off their ticks.
      this.#isTurnMissed = true;
      return;
    }
    const count = this.#pending = this.#reader.receive();
    for (let index = 0; index < count; index++) process.nextTick(this.#deliver, index);
    this.#endTurn(count);
    // A large message is the last that is told at a time; those behind it need not wait for another round of the loop.
    if (count > 0) this.#takeMore(taken + count, bytes + this.#reader.bytesInPlace(count - 1));
  }

  #takeMore(taken, bytes) {
    if (bytes === 0 || bytes > BYTES_A_TURN || taken > MESSAGES_A_TURN) return;
    process.nextTick(() => {
      if (this.#pending === 0) this.#turn(taken, bytes);
    });
  }

  // What comes until the loop waits is seen then, without a bell.
  #endTurn(count) {
    if (this.#leaving.hasEnded) this.#letGo(count);
    const rest = this.#calls.rest();
    if (rest === REST.KEPT_WAITING) setTimeout(() => this.#takeTurn(), KEPT_WAITING_MS).unref();
    if (rest !== REST.NEWS) return;
    this.#hear();
    this.#takeTurn();
  }

  #letGo(count) {
    if (count > 0) return this.#takeTurn();
    for (const place of this.#leaving.takeDone()) this.#endpoint.letGo(place);
  }

  /**
   * Before anything that the channel brings: it may speak of a process that only the master's news have told of, and whoever caused it may
   * have caused messages here before. So all of what lies here by now comes first, and of what comes meanwhile no more than with it.
   */
  #catchUp() {
    this.#hear();
    if (this.#pending > 0 || this.#process.listenerCount('message') === 0) return;
    this.#endpoint.mark();
    let count;
    do count = this.#deliverAtOnce(); while (count > 0 && this.#endpoint.isBehind());
    this.#endTurn(count);
  }

  #deliverAtOnce() {
    const count = this.#pending = this.#reader.receive();
    for (let index = 0; index < count; index++) {
      try {
        this.#deliverOne(index);
      } catch (error) {
        // Uncaught, as it would be in a tick of its own.
        process.nextTick(() => { throw error; });
      }
    }
    return count;
  }

  #deliverOne(index) {
    const message = this.#read(index);
    this.#pending -= 1;
    if (this.#pending === 0 && this.#isTurnMissed) {
      this.#isTurnMissed = false;
      this.#takeTurn();
    }
    if (message !== undefined && this.#process.connected) this.meter.hand(message, this.#emit);
  }

  /** The message; undefined where it could not be read, or nobody would see it. */
  #read(index) {
    const reader = this.#reader;
    const flags = reader.flags(index);
    const action = reader.action(index);
    if (!(flags & FLAG.WHOLE) && !this.audience.hears(action)) {
      this.meter.noteReceived(reader, index, action);
      reader.skip(index);
      return undefined;
    }
    let data;
    try {
      data = reader.data(index);
      // As the master has it of the channel: what is no object is nobody's message.
      if (flags & FLAG.WHOLE && !isPlainObject(data)) throw new TypeError('it is no object');
    } catch (error) {
      reader.skip(index);
      const receivers = [{ role: this.#role, pid: String(this.#process.pid) }];
      this.meter.noteDropped({ action, reason: 'unreadable', text: error.message, receivers, from: this.#senderOf(index) });
      return undefined;
    }
    this.meter.noteReceived(reader, index, flags & FLAG.WHOLE ? data?.action : action);
    if (flags & FLAG.WHOLE) return data;
    const message = { action };
    if (data !== undefined) message.data = data;
    if (flags & FLAG.BY_PID) message.receiverPid = String(this.#process.pid);
    if (flags & FLAG.BY_WORKER_ID) message.receiverWorkerId = String(this.#process.pid);
    message.to = this.#role;
    message.from = this.#senderOf(index)?.role;
    return message;
  }

  #senderOf(index) {
    const place = this.#reader.place(index);
    return this.#roster.at(place) ?? this.#leaving.at(place);
  }
}

module.exports = { Switchboard };
