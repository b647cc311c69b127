'use strict';

const { EventEmitter } = require('events');
const { Messenger } = require('../lib/messenger');
const { processTransport, threadTransport } = require('../lib/messenger/transports');

/** A transport that keeps what is sent and hands in what a test says. */
function fakeTransport({ role, pid = 100 } = {}) {
  const transport = {
    pid,
    role,
    sent: [],
    listeners: new Set(),
    send: envelope => transport.sent.push(envelope),
    onMessage(listener) {
      transport.listeners.add(listener);
      return () => transport.listeners.delete(listener);
    },
    receive: message => [...transport.listeners].forEach(listener => listener(message)),
  };
  return transport;
}

function messengerOn(transport) {
  const messenger = new Messenger(transport);
  messenger.logger = { error: jest.fn() };
  return messenger;
}

describe('sending', () => {
  const cases = [
    ['send', ['a', 1, 'parent'], [{ action: 'a', data: 1, to: 'parent' }]],
    ['send', ['a', 1], [{ action: 'a', data: 1, to: undefined }]],
    ['sendToApp', ['a', { b: 2 }], [{ action: 'a', data: { b: 2 }, to: 'app' }]],
    ['sendToAgent', ['a', null], [{ action: 'a', data: null, to: 'agent' }]],
    ['sendTo', [4711, 'a', 'x'], [{ action: 'a', data: 'x', receiverPid: '4711' }]],
    ['sendTo', ['4711', 'a'], [{ action: 'a', data: undefined, receiverPid: '4711' }]],
    ['broadcast', ['a', 1], [{ action: 'a', data: 1, to: 'app' }, { action: 'a', data: 1, to: 'agent' }]],
  ];

  test.each(cases)('%s(%j) hands over its envelopes before it returns the messenger', (method, args, envelopes) => {
    const transport = fakeTransport();
    const messenger = messengerOn(transport);
    expect(messenger[method](...args)).toBe(messenger);
    expect(transport.sent).toEqual(envelopes);
  });

  test('sendRandom in the agent goes to one of the apps told last', () => {
    const transport = fakeTransport({ role: 'agent' });
    const messenger = messengerOn(transport).listen();
    transport.receive({ action: 'egg-pids', data: [1, 2, 3] });
    transport.receive({ action: 'egg-pids', data: [7, 8] });
    for (let i = 0; i < 200; i++) messenger.sendRandom('a', i);
    expect(new Set(transport.sent.map(envelope => envelope.receiverPid))).toEqual(new Set(['7', '8']));
    expect(transport.sent).toHaveLength(200);
  });

  test('sendRandom in the agent does nothing while there is no app', () => {
    const transport = fakeTransport({ role: 'agent' });
    const messenger = messengerOn(transport);
    expect(messenger.sendRandom('a')).toBe(messenger);
    expect(transport.sent).toEqual([]);
  });

  test('sendRandom in an app goes to the agent, also before its pid was told', () => {
    const transport = fakeTransport({ role: 'app' });
    messengerOn(transport).sendRandom('a', 1);
    expect(transport.sent).toEqual([{ action: 'a', data: 1, to: 'agent' }]);
  });

  test('the pids of the others survive removeAllListeners()', () => {
    const transport = fakeTransport({ role: 'agent' });
    const messenger = messengerOn(transport).listen();
    messenger.removeAllListeners();
    transport.receive({ action: 'egg-pids', data: [5] });
    expect(messenger.opids).toEqual(['5']);
    messenger.sendRandom('a');
    expect(transport.sent[0].receiverPid).toBe('5');
  });

  test('pid is the own one as text', () => {
    expect(messengerOn(fakeTransport({ pid: 12 })).pid).toBe('12');
  });
});

describe('receiving', () => {
  test.each(['on', 'once', 'addListener', 'prependListener', 'prependOnceListener'])('the first %s() starts listening', method => {
    const transport = fakeTransport();
    const messenger = messengerOn(transport);
    expect(transport.listeners.size).toBe(0);
    const listener = jest.fn();
    expect(messenger[method]('a', listener)).toBe(messenger);
    expect(transport.listeners.size).toBe(1);
    transport.receive({ action: 'a', data: { deep: [1] } });
    expect(listener).toHaveBeenCalledWith({ deep: [1] });
  });

  test('a second listener does not listen to the transport twice', () => {
    const transport = fakeTransport();
    messengerOn(transport).on('a', () => {}).on('b', () => {}).listen();
    expect(transport.listeners.size).toBe(1);
  });

  test('a transport that had nothing to listen to is asked again', () => {
    const transport = fakeTransport();
    const { onMessage } = transport;
    transport.onMessage = () => null;
    const messenger = messengerOn(transport);
    const listener = jest.fn();
    messenger.on('a', listener);
    transport.onMessage = onMessage;
    messenger.listen();
    transport.receive({ action: 'a' });
    expect(listener).toHaveBeenCalledTimes(1);
  });

  test('egg-ready and egg-pids arrive as events', () => {
    const transport = fakeTransport();
    const seen = [];
    messengerOn(transport).on('egg-ready', data => seen.push(data)).on('egg-pids', data => seen.push(data));
    transport.receive({ action: 'egg-pids', data: [1] });
    transport.receive({ action: 'egg-ready', data: { workers: 1 } });
    expect(seen).toEqual([[1], { workers: 1 }]);
  });

  test('once() and prependOnceListener() are called once, in order', () => {
    const transport = fakeTransport();
    const order = [];
    const messenger = messengerOn(transport);
    messenger.on('a', () => order.push('on'));
    messenger.once('a', () => order.push('once'));
    messenger.prependOnceListener('a', () => order.push('first'));
    transport.receive({ action: 'a' });
    transport.receive({ action: 'a' });
    expect(order).toEqual(['first', 'on', 'once', 'on']);
  });

  test.each([null, undefined, 'text', 7, [], {}, { action: 5 }, { data: 1 }])('the message %j is nobody\'s', message => {
    const transport = fakeTransport();
    const messenger = messengerOn(transport);
    const listener = jest.fn();
    messenger.on('undefined', listener).on('5', listener).on('text', listener);
    expect(() => transport.receive(message)).not.toThrow();
    expect(listener).not.toHaveBeenCalled();
  });

  test('an action named error that nobody listens to throws nothing', () => {
    const transport = fakeTransport();
    messengerOn(transport).listen();
    expect(() => transport.receive({ action: 'error', data: 'x' })).not.toThrow();
  });

  test('a malformed egg-pids leaves what is known', () => {
    const transport = fakeTransport();
    const messenger = messengerOn(transport).listen();
    transport.receive({ action: 'egg-pids', data: [9] });
    transport.receive({ action: 'egg-pids', data: 'junk' });
    expect(messenger.opids).toEqual(['9']);
  });

  test('close() stops listening and a new listener starts again', () => {
    const transport = fakeTransport();
    const messenger = messengerOn(transport);
    const before = jest.fn();
    messenger.on('a', before);
    messenger.close();
    expect(transport.listeners.size).toBe(0);
    const after = jest.fn();
    messenger.on('a', after);
    transport.receive({ action: 'a' });
    expect(before).not.toHaveBeenCalled();
    expect(after).toHaveBeenCalledTimes(1);
  });
});

describe('listeners that fail', () => {
  test('one that throws is logged and the others are called', () => {
    const transport = fakeTransport();
    const messenger = messengerOn(transport);
    const failure = new Error('bad listener');
    const last = jest.fn();
    messenger.on('a', () => { throw failure; }).on('a', last);
    expect(() => transport.receive({ action: 'a', data: 1 })).not.toThrow();
    expect(last).toHaveBeenCalledWith(1);
    expect(messenger.logger.error).toHaveBeenCalledWith('[messenger] a listener of "a" failed');
    expect(messenger.logger.error).toHaveBeenCalledWith(failure);
  });

  test('one that rejects is logged', async () => {
    const transport = fakeTransport();
    const messenger = messengerOn(transport);
    const failure = new Error('bad promise');
    const logged = new Promise(resolve => {
      messenger.logger = { error: value => value === failure && resolve() };
    });
    messenger.once('a', async () => { throw failure; });
    transport.receive({ action: 'a' });
    await logged;
  });

  test('one that throws does not stop later messages', () => {
    const transport = fakeTransport();
    const messenger = messengerOn(transport);
    const listener = jest.fn(() => { throw new Error('again'); });
    messenger.on('a', listener);
    transport.receive({ action: 'a' });
    transport.receive({ action: 'a' });
    expect(listener).toHaveBeenCalledTimes(2);
  });
});

describe('the transport over the channel of a process', () => {
  function fakeProcess() {
    const target = new EventEmitter();
    return Object.assign(target, { pid: 55, connected: true, send: jest.fn() });
  }

  test('sends with a callback, so that a channel closing under it is no error event', () => {
    const target = fakeProcess();
    processTransport(target, () => 'agent').send({ action: 'a' });
    expect(target.send).toHaveBeenCalledWith({ action: 'a' }, undefined, undefined, expect.any(Function));
  });

  test('sends nothing through a closed channel', () => {
    const target = fakeProcess();
    target.connected = false;
    processTransport(target, () => 'agent').send({ action: 'a' });
    expect(target.send).not.toHaveBeenCalled();
  });

  test('listens to messages only when asked, and stops', () => {
    const target = fakeProcess();
    const transport = processTransport(target, () => 'app');
    expect(target.listenerCount('message')).toBe(0);
    const listener = jest.fn();
    const stop = transport.onMessage(listener);
    target.emit('message', { action: 'a' });
    stop();
    target.emit('message', { action: 'b' });
    expect(listener.mock.calls).toEqual([[{ action: 'a' }]]);
  });

  test('does nothing without a channel', () => {
    const target = fakeProcess();
    delete target.send;
    const transport = processTransport(target, () => 'agent');
    expect(() => transport.send({ action: 'a' })).not.toThrow();
    expect(transport.onMessage(() => {})).toBeNull();
    expect(target.listenerCount('message')).toBe(0);
  });

  test('leaves the channel alone in a process that is no worker', () => {
    const target = fakeProcess();
    const transport = processTransport(target, () => undefined);
    transport.send({ action: 'a' });
    expect(transport.onMessage(() => {})).toBeNull();
    expect(target.send).not.toHaveBeenCalled();
    expect(target.listenerCount('message')).toBe(0);
  });
});

describe('the messenger of this process', () => {
  const INSTANCE = Symbol.for('egg-clutch.messenger');
  const ROLE = Symbol.for('egg-clutch.role');

  afterEach(() => {
    delete globalThis[INSTANCE];
    delete globalThis[ROLE];
    jest.resetModules();
  });

  test('is one for all copies of the package', () => {
    const first = require('../lib/messenger');
    jest.resetModules();
    const second = require('../lib/messenger');
    expect(second.Messenger).not.toBe(first.Messenger);
    expect(second.processMessenger()).toBe(first.processMessenger());
  });

  test('does nothing here, where there is no master', () => {
    const messenger = require('../lib/messenger').processMessenger();
    const before = process.listenerCount('message');
    for (const method of ['broadcast', 'sendToApp', 'sendToAgent', 'sendRandom', 'send']) {
      expect(messenger[method]('a', 1)).toBe(messenger);
    }
    expect(messenger.sendTo(1, 'a')).toBe(messenger);
    messenger.on('a', () => {});
    expect(process.listenerCount('message')).toBe(before);
  });
});

describe('the transport over the port of a thread', () => {
  function fakePort() {
    return Object.assign(new EventEmitter(), { postMessage: jest.fn(structuredClone) });
  }

  test('has the id of the thread as its address, and sends what can be cloned as it is', () => {
    const port = fakePort();
    const transport = threadTransport(port, 7, () => 'app');
    transport.send({ action: 'a', data: new Map() });
    expect(transport).toMatchObject({ pid: 7, role: 'app' });
    expect(port.postMessage).toHaveBeenCalledWith({ action: 'a', data: new Map() });
  });

  test('throws what cannot be cloned back at the sender', () => {
    const messenger = messengerOn(threadTransport(fakePort(), 7, () => 'app'));
    expect(() => messenger.sendToAgent('a', () => {})).toThrow(expect.objectContaining({ name: 'DataCloneError' }));
  });

  test('listens to messages only when asked, and stops', () => {
    const port = fakePort();
    const transport = threadTransport(port, 7, () => 'agent');
    const listener = jest.fn();
    const stop = transport.onMessage(listener);
    port.emit('message', { action: 'a' });
    stop();
    port.emit('message', { action: 'b' });
    expect(listener.mock.calls).toEqual([[{ action: 'a' }]]);
  });

  test('leaves the port alone in a thread that is no worker of a cluster', () => {
    const port = fakePort();
    const transport = threadTransport(port, 7, () => undefined);
    transport.send({ action: 'a' });
    expect(transport.onMessage(() => {})).toBeNull();
    expect(port.postMessage).not.toHaveBeenCalled();
    expect(port.listenerCount('message')).toBe(0);
  });
});
