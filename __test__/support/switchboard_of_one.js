'use strict';

// One end of the switchboard without the native side: what it sends is what it receives, from a process that is said to have sent it.

const { EventEmitter } = require('events');
const { Switchboard } = require('../../lib/worker/switchboard');
const { HEAD, KIND, REST } = require('../../lib/worker/switchboard/envelope');
const { LoopbackEndpoint } = require('./loopback_endpoint');

const SENDER = { place: 1, generation: 7 };

/** The native side, where one process has written and then ended. */
class Ring extends LoopbackEndpoint {
  constructor(desk) {
    super(desk);
    this.desk = desk;
  }

  news = [];
  letGone = [];
  isOpen = false;

  calls() {
    return this;
  }

  hear() {
    return this.news.splice(0);
  }

  open(place) {
    this.isOpen = place === SENDER.place;
  }

  letGo(place) {
    this.letGone.push(place);
  }

  receive() {
    return this.isOpen ? super.receive() : 0;
  }

  /** Somebody sends a message of nothing. */
  write(place, action) {
    const head = this.desk.head;
    head[HEAD.KIND] = KIND.NOTHING;
    head[HEAD.RECEIVERS] = 1;
    head[HEAD.ACTION] = this.numberOf(action);
    head[HEAD.FLAGS] = 0;
    head[HEAD.PLACES] = place;
    this.sendBare();
  }

  rest() {
    return REST.QUIET;
  }

  flush() {
    return true;
  }

  tidy() {}
}

const turns = async () => {
  for (let turn = 0; turn < 3; turn++) await new Promise(resolve => setImmediate(resolve));
};

/** @param {{ isReady?: boolean }} [options] whether the cluster has got ready, and the other one has said its last words */
function start({ isReady = true } = {}) {
  const byChannel = [];
  const send = message => byChannel.push(JSON.parse(JSON.stringify(message))) > 0;
  const proc = Object.assign(new EventEmitter(), { pid: 1, connected: true, send });
  let ring;
  let tellNews;
  let ringBell;
  const join = (desk, onMessages, onNews) => {
    ring = new Ring(desk);
    tellNews = onNews;
    ringBell = onMessages;
    return ring;
  };
  const board = new Switchboard({ join, role: 'agent', proc, logger: { warn: () => {} } });
  const heard = [];
  proc.on('message', message => heard.push(message));
  const news = item => {
    ring.news.push(item);
    tellNews();
  };
  news({ kind: 'joined', ...SENDER, role: 'app', pid: 2 });
  if (isReady) {
    proc.emit('message', { action: 'egg-ready' });
    board.send({ action: 'last-words', data: 'adieu', receiverPid: '2' });
  }
  heard.length = 0;
  return { board, proc, ring, heard, news, byChannel, ringBell };
}

module.exports = { start, turns, SENDER };
