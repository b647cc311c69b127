'use strict';

const { setImmediate: nextTurn } = require('timers/promises');

const { MAX_WAITING } = require('../lib/master/endpoint');
const { appDir, removeAll } = require('./support/app_dir');
const { parts, boot: bootFake, booted: bootedFake } = require('./support/fake_native');

let baseDir;
beforeAll(() => { baseDir = appDir(); });
afterAll(removeAll);

const boot = (options, given) => bootFake({ baseDir, ...options }, given);
const booted = (options, given) => bootedFake({ baseDir, ...options }, given);

describe('the parent', () => {
  test('is sent what the native half has for it', async () => {
    const { native, proc } = await booted();
    proc.connect();
    native.event({ type: 'parent', message: { action: 'app-worker-died' } });
    expect(proc.sent).toEqual([{ action: 'app-worker-died' }]);
  });

  test('finds the caller of startCluster listening, however soon it answers to readiness', async () => {
    const { native, proc, ready } = await boot();
    const seen = [];
    proc.connect(() => {
      seen.push('told');
      setImmediate(() => seen.push('answered'));
    });
    ready.then(() => seen.push('listens'));
    native.event({ type: 'ready', address: 'x', toParent: { action: 'egg-ready' } });
    await ready;
    await nextTurn();
    expect(seen).toEqual(['told', 'listens', 'answered']);
  });

  test('may not exist, be gone, or go while it is written to', async () => {
    const { native, proc } = await booted();
    const send = () => native.event({ type: 'parent', message: { action: 'x' } });
    send();
    proc.connect();
    proc.connected = false;
    send();
    expect(proc.sent).toEqual([]);
    proc.connect((_message, _handle, _options, callback) => callback(new Error('EPIPE')));
    send();
    proc.connect(() => { throw new Error('ERR_IPC_CHANNEL_CLOSED'); });
    send();
    expect(proc.exits).toEqual([]);
  });

  test.each([
    [{ action: 'reload-worker' }, { action: 'reload-worker' }], ['hello', { action: 'hello', data: 'hello' }], [{ foo: 1 }, { foo: 1 }],
  ])('sends %p', async (message, text) => {
    const { native, proc } = await booted();
    proc.emit('message', message);
    expect(native.of('deliver')).toEqual([['parent', JSON.stringify(text)]]);
  });

  test.each([[null], [5], [[1]], [{ big: 1n }], [undefined]])('sends %p in vain, and the log says so', async message => {
    const { native, proc } = await booted();
    proc.emit('message', message);
    expect(native.of('deliver')).toEqual([]);
    expect(native.of('log').at(-1)).toEqual(['warn', expect.stringContaining('dropped a message of the parent process')]);
  });
});

describe('events', () => {
  test.each([
    ['worker-started', { id: 1, pid: 5, slot: 0, generation: 1 }], ['worker-ready', { id: 1, pid: 5, slot: 0, generation: 1 }],
    ['worker-exited', { id: 1, pid: 5, code: null, signal: 'SIGKILL' }], ['agent-started', { pid: 6 }], ['agent-exited', { pid: 6, code: 1 }],
  ])('%s reaches the cluster', async (type, fields) => {
    const { native, cluster } = await booted();
    const seen = [];
    cluster.on(type, event => seen.push(event));
    native.event({ type, ...fields });
    expect(seen).toEqual([fields]);
  });
});

describe('the messenger of the master', () => {
  test('sends through the router', async () => {
    const { native, cluster } = await booted();
    cluster.messenger.sendToApp('a', 1).sendToAgent('b', 2).sendTo(77, 'c', 3).send('d', 4, 'parent').broadcast('e');
    expect(native.of('deliver').map(([origin, text]) => [origin, JSON.parse(text)])).toEqual([
      ['master', { action: 'a', data: 1, to: 'app' }], ['master', { action: 'b', data: 2, to: 'agent' }],
      ['master', { action: 'c', data: 3, receiverPid: '77' }], ['master', { action: 'd', data: 4, to: 'parent' }],
      ['master', { action: 'e', to: 'app' }], ['master', { action: 'e', to: 'agent' }],
    ]);
  });

  test('hears what is sent to the master, by action', async () => {
    const { native, cluster } = await booted();
    const seen = [];
    cluster.messenger.on('hi', data => seen.push(data));
    native.event({ type: 'message', message: { action: 'hi', data: { a: 1 }, from: 'app' } });
    native.event({ type: 'message', message: { action: 'other', data: 2 } });
    expect(seen).toEqual([{ a: 1 }]);
  });

  test('keeps what is sent before readiness, in order', async () => {
    const given = parts();
    const { messenger } = given.masterEndpoint();
    messenger.sendToAgent('first');
    const { native, ready } = await boot({}, given);
    messenger.sendToAgent('second');
    expect(native.of('deliver')).toEqual([]);
    native.event({ type: 'ready', address: 'x' });
    (await ready).messenger.sendToAgent('third');
    expect(native.of('deliver').map(([, text]) => JSON.parse(text).action)).toEqual(['first', 'second', 'third']);
  });

  test('keeps a limited number, and tells how many it lost', async () => {
    const given = parts();
    for (let i = 0; i < MAX_WAITING + 3; i++) given.masterEndpoint().messenger.sendToApp('x', i);
    const { native } = await booted({}, given);
    expect(native.of('deliver')).toHaveLength(MAX_WAITING);
    expect(native.of('log').at(-1)).toEqual(['warn', expect.stringContaining('3 messages')]);
  });

  test('sendRandom chooses among the apps that are ready', async () => {
    const { native, cluster } = await booted();
    cluster.messenger.sendRandom('nobody');
    native.event({ type: 'worker-ready', id: 1, pid: 50 });
    native.event({ type: 'worker-ready', id: 2, pid: 51 });
    native.event({ type: 'worker-exited', id: 1, pid: 50 });
    cluster.messenger.sendRandom('x');
    expect(native.of('deliver').map(([, text]) => JSON.parse(text))).toEqual([{ action: 'x', receiverPid: '51' }]);
  });
});
