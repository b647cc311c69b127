'use strict';
// A TCP connection whose bytes a test writes and reads itself, for what no HTTP client would send or show.

const net = require('node:net');
const { once } = require('node:events');
const { Waiting } = require('./waiting');

class RawConnection {
  constructor(options) {
    this.received = '';
    this.events = [];
    this.waiting = new Waiting(() => `received so far: ${JSON.stringify(this.received)}`);
    this.socket = net.connect({ host: '127.0.0.1', allowHalfOpen: true, ...options });
    // One character for each byte, so that nothing is lost.
    this.socket.setEncoding('latin1').on('data', text => {
      this.received += text;
      this.waiting.look();
    });
    this.socket.on('end', () => {
      this.events.push('end');
      this.socket.end();
    });
    this.socket.on('error', error => this.events.push(error.code));
    this.socket.on('close', () => {
      this.over = true;
      this.waiting.end('the connection is closed');
    });
  }

  async connected() {
    await once(this.socket, 'connect');
    return this;
  }

  /** Text is written as latin1, as it is read. Resolves when the kernel has taken it. */
  write(bytes) {
    return new Promise(resolve => {
      this.socket.write(bytes, 'latin1', resolve);
    });
  }

  /** Nothing more will be said; what is still to come is read. */
  end() {
    this.socket.end();
  }

  destroy() {
    this.socket.destroy();
  }

  /** Resolves when the far side has said something that matches; what comes later may be there as well. */
  until(pattern) {
    return this.waiting.for(() => this.received.match(pattern), { what: `${pattern} on a connection` });
  }

  /** Resolves to { received, events } once the connection is over: 'end' is the far side's orderly end, else the error's code. */
  async closed() {
    await this.waiting.for(() => this.over, { what: 'the end of a connection' });
    return { received: this.received, events: this.events };
  }
}

/** Resolves to a connection to 127.0.0.1; `options` are those of net.connect. */
function openConnection(options) {
  return new RawConnection(options).connected();
}

module.exports = { openConnection };
