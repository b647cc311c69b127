'use strict';

const { EventEmitter } = require('events');

const { Threads, headerOf } = require('../lib/master/threads');

/** A Worker that only writes down what it is sent. */
class FakeThread extends EventEmitter {
  static all = [];
  posted = [];
  terminated = 0;

  constructor(script, settings) {
    super();
    if (script === 'broken') throw new Error('ERR_WORKER_SOMETHING');
    this.script = script;
    this.settings = settings;
    this.threadId = 100 + FakeThread.all.push(this);
  }

  postMessage(message) { this.posted.push(structuredClone(message)); }

  terminate() { this.terminated += 1; }
}

function make({ options = { ports: [7001, 7002], port: 1, name: 'x' }, scripts = { agent: 'agent.js', app: 'app.js' } } = {}) {
  FakeThread.all = [];
  const calls = [];
  const native = new Proxy({}, { get: (_target, name) => (...args) => { calls.push([name, ...args]); } });
  const sent = { parent: [], master: [] };
  const threads = new Threads({
    Thread: FakeThread, native, scripts, options,
    toParent: message => sent.parent.push(message), toMaster: message => sent.master.push(message),
  });
  return { threads, calls, sent, start: (thread, slot) => threads.handle('thread-start', { thread, slot }) };
}

describe('a thread', () => {
  test('gets the options, and an app its own port', () => {
    const { calls, start } = make();
    start(1, null);
    start(2, 0);
    start(3, 1);
    expect(FakeThread.all.map(({ script, settings }) => [script, JSON.parse(settings.argv[0]).port])).toEqual([
      ['agent.js', 1], ['app.js', 7001], ['app.js', 7002],
    ]);
    expect(calls).toEqual([['threadStarted', 1, 101], ['threadStarted', 2, 102], ['threadStarted', 3, 103]]);
  });

  test('listens on the one port where there are no more', () => {
    const { start } = make({ options: { port: 7001 } });
    start(1, 0);
    expect(JSON.parse(FakeThread.all[0].settings.argv[0])).toEqual({ port: 7001 });
  });

  test('that cannot be made is said', () => {
    const { calls, start } = make({ scripts: { agent: 'broken' } });
    start(1, null);
    expect(calls).toEqual([['threadNotStarted', 1, 'ERR_WORKER_SOMETHING']]);
  });

  test('is ended, and its end is told with its code', () => {
    const { threads, calls, start } = make();
    start(1, 0);
    threads.handle('thread-terminate', { thread: 1 });
    expect(FakeThread.all[0].terminated).toBe(1);
    FakeThread.all[0].emit('exit', 7);
    expect(calls.at(-1)).toEqual(['threadExited', 1, 7]);
    threads.handle('thread-terminate', { thread: 1 });
    threads.handle('thread-post', { thread: 1, message: { action: 'late' } });
    expect(FakeThread.all[0]).toMatchObject({ terminated: 1, posted: [] });
  });

  test.each([
    [null, new Error('boom'), /^nodejs\.AgentWorkerError: boom\n[^]*threadId: 101/],
    [0, Object.assign(new Error('no memory'), { code: 'ERR_WORKER_OUT_OF_MEMORY' }), /^nodejs\.AppWorkerError: no memory\n[^]*ERR_WORKER_OUT_OF_MEMORY/],
    [0, 'just a text', /^nodejs\.AppWorkerError: 'just a text' was thrown\n/],
    [0, Object.freeze({}), /^nodejs\.AppWorkerError: \{\} was thrown\n/],
  ])('in slot %p that dies of %p leaves it in the log', (slot, thrown, text) => {
    const { calls, start } = make();
    start(1, slot);
    FakeThread.all[0].emit('error', thrown);
    expect(calls.at(-1)).toEqual(['log', 'error', expect.stringMatching(text)]);
  });
});

describe('a message', () => {
  test('is kept as it is until it is said whom it is for', () => {
    const { threads, calls, start } = make();
    start(1, null);
    start(2, 0);
    start(3, 1);
    const date = new Date(0);
    FakeThread.all[0].emit('message', { action: 'a', data: { date }, extra: 1 });
    const [, thread, ticket, header] = calls.at(-1);
    expect(thread).toBe(1);
    expect(JSON.parse(header)).toEqual({ action: 'a', receiverPid: false, receiverWorkerId: false });
    threads.handle('thread-relay', { ticket, from: 'agent', to: 'app', threads: [2, 3] });
    for (const app of FakeThread.all.slice(1)) {
      expect(app.posted).toEqual([{ action: 'a', data: { date }, extra: 1, from: 'agent', to: 'app' }]);
    }
  });

  test('that is a text stands for its action and its data', () => {
    const { threads, calls, sent, start } = make();
    start(1, 0);
    FakeThread.all[0].emit('message', 'hello');
    threads.handle('thread-relay', { ticket: calls.at(-1)[2], from: 'app', to: 'parent', threads: [] });
    expect(sent.parent).toEqual([{ action: 'hello', data: 'hello', from: 'app', to: 'parent' }]);
  });

  test('for the master or for nobody goes to no thread', () => {
    const { threads, calls, sent, start } = make();
    start(1, 0);
    for (const to of ['master', null]) {
      FakeThread.all[0].emit('message', { action: 'a' });
      threads.handle('thread-relay', { ticket: calls.at(-1)[2], from: 'app', to, threads: [] });
    }
    expect(sent).toEqual({ parent: [], master: [{ action: 'a', from: 'app', to: 'master' }] });
    expect(FakeThread.all[0].posted).toEqual([]);
  });

  test('that can be handed over only once is dropped with a word, and the next one goes its way', () => {
    const { threads, calls, start } = make();
    start(1, 0);
    for (const data of [() => {}, 'fine']) {
      FakeThread.all[0].emit('message', { action: 'a', data });
      threads.handle('thread-relay', { ticket: calls.findLast(([name]) => name === 'threadSaid')[2], from: 'app', to: 'app', threads: [1] });
    }
    expect(calls.filter(([name]) => name === 'log')).toEqual([['log', 'warn', expect.stringMatching(/^\[master\] a message from app was dropped: /)]]);
    expect(FakeThread.all[0].posted).toEqual([{ action: 'a', data: 'fine', from: 'app', to: 'app' }]);
  });

  test('that cannot be read is said', () => {
    const { calls, start } = make();
    start(1, 0);
    FakeThread.all[0].emit('messageerror', new Error('of another time'));
    expect(calls.at(-1)).toEqual(['log', 'warn', '[master] a message from app 101 cannot be read: of another time']);
  });
});

const cyclic = {};
cyclic.self = cyclic;

test.each([
  [{ action: 'a', to: 'agent', data: 1 }, { action: 'a', to: 'agent', receiverPid: false, receiverWorkerId: false }],
  [{ action: 5, to: {}, receiverPid: '7' }, { receiverPid: '7', receiverWorkerId: false }],
  [{ receiverPid: 7, receiverWorkerId: 1n }, { receiverPid: true, receiverWorkerId: true }],
  [{ action: 'realport', data: { port: 1 } }, { action: 'realport', data: { port: 1 }, receiverPid: false, receiverWorkerId: false }],
  [{ action: 'listening', data: cyclic }, { action: 'listening', receiverPid: false, receiverWorkerId: false }],
  [{ action: 'listening' }, { action: 'listening', receiverPid: false, receiverWorkerId: false }],
  [new Map([['action', 'a']]), { receiverPid: false, receiverWorkerId: false }],
  [null, null], [undefined, null], [true, true], [5, 0], [5n, 0], [NaN, 0], [[1], []],
])('the header of %p', (message, header) => {
  expect(JSON.parse(headerOf(message))).toEqual(header);
});
