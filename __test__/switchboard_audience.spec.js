'use strict';

const { EventEmitter } = require('events');
const { Audience, HEARS } = require('../lib/worker/switchboard/audience');

const is = { string: value => typeof value === 'string' };
const debug = () => {};

// As egg's messenger is, of egg 2 and 3.
class EggMessenger extends EventEmitter {
  constructor(proc) {
    super();
    this._onMessage = this._onMessage.bind(this);
    proc.on('message', this._onMessage);
  }

  _onMessage(message) {
    if (message && is.string(message.action)) {
      debug('[%s] got message %s with %j, receiverPid: %s',
        this.pid, message.action, message.data, message.receiverPid);
      this.emit(message.action, message.data);
    }
  }
}

class CountingMessenger extends EggMessenger {
  count = 0;

  _onMessage(message) {
    this.count += 1;
    super._onMessage(message);
  }
}

// As Node's cluster.worker is.
class Worker extends EventEmitter {
  constructor(proc) {
    super();
    proc.on('message', (message, handle) =>
      this.emit('message', message, handle));
  }
}

function withMessenger(Messenger = EggMessenger) {
  const proc = new EventEmitter();
  const audience = new Audience(proc, undefined);
  const messenger = new Messenger(proc);
  audience.meet(messenger);
  return { proc, audience, messenger };
}

describe('what arrives on the switchboard', () => {
  test('is heard by nobody where nobody listens to messages', () => {
    expect(new Audience(new EventEmitter(), undefined).hears('news')).toBe(false);
  });

  test("is heard where egg's messenger has a listener for the action, and not otherwise", () => {
    const { audience, messenger } = withMessenger();
    const listener = () => {};
    expect(audience.hears('news')).toBe(false);
    messenger.once('news', listener);
    expect([audience.hears('news'), audience.hears('other')]).toEqual([true, false]);
    messenger.removeListener('news', listener);
    expect(audience.hears('news')).toBe(false);
  });

  test('is heard where it is an error, which is thrown when nobody listens', () => {
    expect(withMessenger().audience.hears('error')).toBe(true);
  });

  test('is heard by whoever listens to all messages', () => {
    const { proc, audience } = withMessenger();
    const listener = () => {};
    proc.on('message', listener);
    expect(audience.hears('news')).toBe(true);
    proc.removeListener('message', listener);
    expect(audience.hears('news')).toBe(false);
    proc.once('message', listener);
    expect(audience.hears('news')).toBe(true);
  });

  test('is heard by a messenger that does more than hand it on, or whose emit() is not its own', () => {
    expect(withMessenger(CountingMessenger).audience.hears('news')).toBe(true);
    const { audience, messenger } = withMessenger();
    messenger.emit = () => true;
    expect(audience.hears('news')).toBe(true);
  });

  test('is heard by a messenger that nobody has made known', () => {
    const proc = new EventEmitter();
    const audience = new Audience(proc, undefined);
    new EggMessenger(proc);
    expect(audience.hears('news')).toBe(true);
    for (const other of [undefined, null, {}, new EventEmitter()]) audience.meet(other);
    expect(audience.hears('news')).toBe(true);
  });

  test('is heard by cluster.worker only where somebody listens to that', () => {
    const proc = new EventEmitter();
    const worker = new Worker(proc);
    const audience = new Audience(proc, worker);
    expect(audience.hears('news')).toBe(false);
    worker.on('message', () => {});
    expect(audience.hears('news')).toBe(true);
  });

  test('is heard by a listener of ours where it says so', () => {
    const proc = new EventEmitter();
    const audience = new Audience(proc, undefined);
    proc.on('message', Object.assign(() => {}, { [HEARS]: action => action === 'news' }));
    expect([audience.hears('news'), audience.hears('other')]).toEqual([true, false]);
  });
});
