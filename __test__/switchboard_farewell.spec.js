'use strict';

const { EventEmitter } = require('events');
const { Switchboard } = require('../lib/worker/switchboard');
const { HEAD, KIND, REST } = require('../lib/worker/switchboard/envelope');
const { LoopbackEndpoint } = require('./support/loopback_endpoint');

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

function start() {
  const proc = Object.assign(new EventEmitter(), { pid: 1, connected: true, send: message => Boolean(JSON.stringify(message)) });
  let ring;
  let tellNews;
  const join = (desk, onMessages, onNews) => {
    ring = new Ring(desk);
    tellNews = onNews;
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
  proc.emit('message', { action: 'egg-ready' });
  board.send({ action: 'last-words', data: 'adieu', receiverPid: '2' });
  heard.length = 0;
  return { board, proc, ring, heard, news };
}

describe('a process that ends right after its first words', () => {
  test('is heard although its end is known before its fence has come', async () => {
    const { proc, ring, heard, news } = start();
    news({ kind: 'gone', ...SENDER });
    await turns();
    expect([heard, ring.letGone]).toEqual([[], []]);
    proc.emit('internalMessage', { cmd: 'NODE_CLUTCH', act: 'fence', ...SENDER });
    await turns();
    expect(heard.map(({ action, data, from }) => [action, data, from])).toEqual([['last-words', 'adieu', 'app']]);
    expect(ring.letGone).toEqual([SENDER.place]);
  });

  test('is heard for as long as it lives where it has closed its channel, and is sent nothing', async () => {
    const { proc, ring, heard, news } = start();
    proc.emit('internalMessage', { cmd: 'NODE_CLUTCH', act: 'fence', ...SENDER });
    await turns();
    news({ kind: 'left', ...SENDER });
    await turns();
    expect([heard.length, ring.letGone]).toEqual([1, []]);
    ring.write(SENDER.place, 'last-words');
    news({ kind: 'gone', ...SENDER });
    await turns();
    expect([heard.length, heard[1].from, ring.letGone]).toEqual([2, 'app', [SENDER.place]]);
  });

  test('is let go of once, and not in the place of who comes after it', async () => {
    const { proc, ring, news } = start();
    news({ kind: 'gone', ...SENDER });
    news({ kind: 'joined', ...SENDER, generation: 8, role: 'app', pid: 3 });
    proc.emit('internalMessage', { cmd: 'NODE_CLUTCH', act: 'fence', ...SENDER });
    await turns();
    expect(ring.letGone).toEqual([]);
  });
});

describe('a message of which only some receivers have come', () => {
  test('is itself, although it sends others while the channel writes it for the rest', async () => {
    const { board, proc, heard, news } = start();
    news({ kind: 'expected', place: 2, generation: 1, role: 'app', pid: 3 });
    const data = { toJSON: () => board.send({ action: 'inner', data: 'of the inner', receiverPid: '2' }) && 'of the outer' };
    board.send({ action: 'outer', data, to: 'app' });
    proc.emit('internalMessage', { cmd: 'NODE_CLUTCH', act: 'fence', ...SENDER });
    await turns();
    const inner = ['inner', 'of the inner'];
    expect(heard.slice(1).map(({ action, data: said }) => [action, said])).toEqual([inner, inner, ['outer', 'of the outer']]);
  });
});
