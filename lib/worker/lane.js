'use strict';

// Makes connections of the descriptors that the master hands this worker by its lane, and has Node's own cluster code take them, as if
// they had come as its messages: so maxConnections, closed servers and what else Node knows of them count as ever.
// All of it is done for each connection, so nothing is allocated that need not be.

const net = require('net');

const { says } = require('./clutch_word');
const { impersonate } = require('./impersonate');

// One turn of the event loop takes so many records at most; each brings a few connections.
const RECORDS_A_TURN = 4;
const MOST_CONNECTIONS = 8;
const OUT_OF_DESCRIPTORS_PAUSE_MS = 100;
// What Node would answer to. No number of the master's is negative.
const SEQ = -1;
// As egg's cluster layer tells a worker of a sticky connection.
const STICKY = 'sticky-session:connection';
// What the native half answers when there are no connections.
const OUT_OF_DESCRIPTORS = -2;
const NAME = -3;
const WORDS = 3;

class Lane {
  #native;
  #process;
  // Node's keys, by the master's numbers.
  #doors = [];
  // Of which Node has the master's answer, and so a server; and the one whose answer is still on its way by the channel.
  #answered = new Set();
  #awaited = null;
  // The kinds of Node's handles; known from the first connection on.
  #tcp = null;
  #pipe = null;
  #words = new Int32Array(WORDS * MOST_CONNECTIONS);
  #bytes = Buffer.from(this.#words.buffer);
  #handles = new Array(MOST_CONNECTIONS).fill(null);
  // What Node is being handed, and its place in the record; null while it is handed nothing.
  #handed = null;
  #place = 0;

  /**
   * @param {object} options
   * @param {(onWake: () => void) => object} options.join makes the native lane
   * @param {NodeJS.Process} options.proc
   */
  constructor({ join, proc }) {
    this.#process = proc;
    this.#native = join(() => this.#takeTurn());
    const send = proc.send.bind(proc);
    proc.send = (message, handle, options, callback) => {
      if (this.#handed === null || message?.ack !== SEQ || message.cmd !== 'NODE_CLUSTER') return send(message, handle, options, callback);
      // Node closes what it does not accept right after this, so it goes back now.
      if (!message.accepted) this.#native.sendBack(this.#place, this.#handed.fd);
      return true;
    };
    // After this the server is closed: what was handed over before must be in.
    proc.prependListener('internalMessage', message => {
      if (says(message, 'drained')) while (this.#takeRecord());
      if (message?.cmd === 'NODE_CLUSTER' && message.ack !== undefined && message.key !== undefined) this.#noteAnswer(message.key);
    });
  }

  // Node takes it in after this.
  #noteAnswer(key) {
    this.#answered.add(key);
    if (this.#awaited !== key) return;
    this.#awaited = null;
    setImmediate(() => this.#native.resume());
  }

  #takeTurn() {
    // Its servers are closed, or about to be, and the master takes back what is here.
    if (!this.#process.connected) {
      this.#native.pause();
      return;
    }
    for (let taken = 0; taken < RECORDS_A_TURN; taken++) {
      if (!this.#takeRecord()) return;
    }
  }

  /** @returns {boolean} false when nothing was there */
  #takeRecord() {
    const found = this.#native.take(this.#bytes);
    if (found === NAME) {
      const { door, key, unix } = this.#native.name();
      this.#doors[door] = { key, unix };
      // A name comes before the first connection, which Node would refuse.
      if (!this.#answered.has(key)) {
        this.#awaited = key;
        this.#native.pause();
        return false;
      }
    } else if (found === OUT_OF_DESCRIPTORS) {
      this.#rest();
    }
    const words = this.#words;
    const handles = this.#handles;
    // All of them first: a descriptor that nobody has is nobody's to close.
    for (let place = 0; place < found; place++) {
      const fd = words[place * WORDS];
      handles[place] = this.#doors[words[place * WORDS + 1]].unix ? this.#openPipe(fd) : this.#openTcp(fd);
    }
    for (let place = 0; place < found; place++) {
      const { key } = this.#doors[words[place * WORDS + 1]];
      const details = words[place * WORDS + 2] === 0 ? null : this.#native.details(place);
      this.#take(handles[place], key, place, details);
      handles[place] = null;
    }
    return found > 0 || found === NAME;
  }

  // The master has long given what lies there to others when this ends.
  #rest() {
    this.#native.pause();
    setTimeout(() => this.#native.resume(), OUT_OF_DESCRIPTORS_PAUSE_MS).unref();
  }

  #take(handle, key, place, details) {
    if (details?.address) impersonate(handle, details);
    try {
      if (details?.sticky) {
        this.#process.emit('message', STICKY, new net.Socket({ handle, readable: true, writable: true }));
        return;
      }
      this.#handed = handle;
      this.#place = place;
      this.#process.emit('internalMessage', { cmd: 'NODE_CLUSTER', act: 'newconn', key, seq: SEQ }, handle);
    } catch (error) {
      // What a listener throws is uncaught, as in a turn of its own, and does not keep those behind it out.
      process.nextTick(() => { throw error; });
    } finally {
      this.#handed = null;
    }
  }

  #openTcp(fd) {
    if (this.#tcp !== null) return this.#tcp.open(fd);
    const handle = openByNode(fd);
    this.#tcp = new HandleKind(handle.constructor, this.#native);
    return this.#tcp.count(handle);
  }

  #openPipe(fd) {
    if (this.#pipe !== null) return this.#pipe.open(fd);
    const handle = openByNode(fd);
    this.#pipe = new HandleKind(handle.constructor, this.#native);
    return this.#pipe.count(handle);
  }
}

/** Node does not show the classes of its handles; the first connection of each kind brings its own along. */
function openByNode(fd) {
  const socket = new net.Socket({ fd, readable: false, writable: false, manualStart: true });
  const handle = socket._handle;
  socket._handle = null;
  return handle;
}

/**
 * Handles of one of Node's classes whose ends are counted: Node ends each once, in one of two ways. That is by properties of their own and
 * not by a subclass, as V8 takes a long way round to make an object of what is derived from a native class.
 */
class HandleKind {
  #Handle;
  #close;
  #reset;

  constructor(Handle, native) {
    const { close, reset } = Handle.prototype;
    this.#Handle = Handle;
    this.#close = function countedClose(callback) {
      native.noteClosed();
      return close.call(this, callback);
    };
    this.#reset = function countedReset(callback) {
      native.noteClosed();
      return reset.call(this, callback);
    };
  }

  open(fd) {
    const handle = this.count(new this.#Handle(0));
    handle.open(fd);
    return handle;
  }

  count(handle) {
    handle.close = this.#close;
    handle.reset = this.#reset;
    return handle;
  }
}

module.exports = { Lane };
