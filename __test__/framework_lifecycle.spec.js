'use strict';

const { Application, Agent } = require('../lib/framework');
const { Ready } = require('../lib/framework/ready');
const { Messenger } = require('../lib/messenger');
const { tree, removeAll } = require('./support/app_dir');

const INSTANCE = Symbol.for('egg-clutch.messenger');
const KINDS = [['Application', Application, 'app.js'], ['Agent', Agent, 'agent.js']];

let receive;
let started;

beforeEach(() => {
  started = [];
  const listeners = new Set();
  receive = message => [...listeners].forEach(listener => listener(message));
  globalThis[INSTANCE] = new Messenger({
    pid: 1,
    send() {},
    onMessage(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  });
  globalThis.seen = [];
});

afterEach(async () => {
  await Promise.all(started.map(app => app.close().catch(() => {})));
  delete globalThis[INSTANCE];
  delete globalThis.seen;
});

afterAll(removeAll);

function start(Kind, files, options = {}) {
  const app = new Kind({ baseDir: tree(files), ...options });
  app.logger = { error: jest.fn() };
  started.push(app);
  return app;
}

const nextTurn = () => new Promise(resolve => setImmediate(resolve));
const event = (emitter, name) => new Promise(resolve => emitter.once(name, resolve));

const ALL_HOOKS = `
  const later = name => new Promise(resolve => setImmediate(resolve)).then(() => seen.push(name));
  module.exports = class Boot {
    constructor(app) { this.app = app; seen.push('constructor'); app.beforeStart(() => later('beforeStart')); }
    configWillLoad() { seen.push('configWillLoad'); }
    configDidLoad() { seen.push('configDidLoad'); }
    async didLoad() { await later('didLoad'); }
    async willReady() { await later('willReady'); }
    async didReady(error) { seen.push('didReady ' + error); }
    async serverDidReady() { seen.push('serverDidReady'); }
    async beforeClose() { seen.push('beforeClose'); }
  };`;

describe.each(KINDS)('%s', (name, Kind, file) => {
  test('runs the hooks of a class in egg\'s order', async () => {
    const app = start(Kind, { [file]: ALL_HOOKS });
    await app.ready();
    await nextTurn();
    expect(globalThis.seen).toEqual(
      ['constructor', 'configWillLoad', 'configDidLoad', 'beforeStart', 'didLoad', 'willReady', 'didReady undefined']);
    receive({ action: 'egg-ready' });
    await nextTurn();
    receive({ action: 'egg-ready' });
    await nextTurn();
    await app.close();
    expect(globalThis.seen.slice(7)).toEqual(['serverDidReady', 'beforeClose']);
  });

  test('knows a class that was compiled to a function', async () => {
    const app = start(Kind, { [file]: 'function Boot() {}\nBoot.prototype.willReady = () => seen.push("willReady");\nmodule.exports = Boot;' });
    await app.ready();
    expect(globalThis.seen).toEqual(['willReady']);
  });

  test('calls a function with itself, config being there', async () => {
    const app = start(Kind, {
      [file]: 'module.exports = app => { app.mine = app.config.x; };',
      'config/config.default.js': 'exports.x = 7;',
    });
    expect(app.mine).toBe(7);
    await app.ready();
  });

  test('waits for an asynchronous function', async () => {
    const app = start(Kind, { [file]: 'module.exports = async app => { await new Promise(setImmediate); app.done = true; };' });
    expect(app.done).toBeUndefined();
    await app.ready();
    expect(app.done).toBe(true);
  });

  test('waits for tasks that tasks have added', async () => {
    const app = start(Kind, {
      [file]: `module.exports = app => app.beforeStart(async () => {
        await new Promise(setImmediate);
        app.beforeStart(async () => {
          await new Promise(setImmediate);
          app.beforeStart(async () => { await new Promise(setImmediate); seen.push('innermost'); });
        });
      });`,
    });
    await app.ready();
    expect(globalThis.seen).toEqual(['innermost']);
  });

  test.each([['no file at all', {}], ['a file that exports nothing', { [file]: '' }]])('gets ready with %s', async (what, files) => {
    await start(Kind, files).ready();
  });

  test('is not ready in the tick of its construction', async () => {
    const app = start(Kind, {});
    const callback = jest.fn();
    app.ready(callback);
    expect(callback).not.toHaveBeenCalled();
    await app.ready();
    expect(callback).toHaveBeenCalledWith(undefined);
  });

  test('throws from the constructor what its file throws', () => {
    expect(() => start(Kind, { [file]: 'throw new Error("broken file");' })).toThrow('broken file');
    expect(() => start(Kind, { [file]: 'module.exports = () => { throw new Error("broken function"); };' })).toThrow('broken function');
    expect(() => start(Kind, { [file]: 'module.exports = class { configDidLoad() { throw new Error("broken hook"); } };' }))
      .toThrow('broken hook');
  });

  test('refuses a file that exports neither function nor class', () => {
    expect(() => start(Kind, { [file]: 'module.exports = 5;' })).toThrow(/must export a function or a class, got number$/);
    expect(() => start(Kind, { [file]: 'exports.typo = () => {};' })).toThrow(/must export a function or a class, got object$/);
  });

  test.each([
    ['beforeStart', 'module.exports = app => app.beforeStart(async () => { throw new Error("no start"); });'],
    ['an asynchronous function', 'module.exports = async () => { throw new Error("no start"); };'],
    ['didLoad', 'module.exports = class { didLoad() { throw new Error("no start"); } };'],
    ['willReady', 'module.exports = class { async willReady() { throw new Error("no start"); } };'],
  ])('that fails in %s emits the error and is ready with it', async (what, code) => {
    const app = start(Kind, { [file]: code });
    const emitted = event(app, 'error');
    await expect(app.ready()).rejects.toThrow('no start');
    expect((await emitted).message).toBe('no start');
    expect(app.logger.error).not.toHaveBeenCalled();
  });

  test('logs a failure that nobody listens to, whatever was thrown', async () => {
    const app = start(Kind, { [file]: 'module.exports = app => app.beforeStart(() => Promise.reject("a text"));' });
    await expect(app.ready()).rejects.toThrow('a text');
    expect(app.logger.error).toHaveBeenCalledWith(expect.objectContaining({ message: 'a text' }));
  });

  test('reports what fails after it is ready, and stays ready', async () => {
    const app = start(Kind, { [file]: `module.exports = class {
      didReady() { throw new Error('late 1'); }
      serverDidReady() { return Promise.reject(new Error('late 2')); }
    };` });
    await app.ready();
    await nextTurn();
    receive({ action: 'egg-ready' });
    await nextTurn();
    expect(app.logger.error.mock.calls.map(([error]) => error.message)).toEqual(['late 1', 'late 2']);
    await app.ready();
  });

  test('emits startTimeout when it does not get ready in time', async () => {
    const app = start(Kind, {
      [file]: 'module.exports = app => app.beforeStart(() => new Promise(() => {}));',
      'config/config.default.js': 'exports.workerStartTimeout = 1;',
    });
    const fired = jest.fn();
    app.once('startTimeout', fired);
    await event(app, 'startTimeout');
    expect(fired).toHaveBeenCalledTimes(1);
    expect(app.logger.error).toHaveBeenCalledWith(expect.objectContaining({ message: expect.stringMatching(/is not ready after 1ms$/) }));
  });

  test('fails when it does not get ready in time and nobody listens to startTimeout', async () => {
    const app = start(Kind, {
      [file]: 'module.exports = app => app.beforeStart(() => new Promise(() => {}));',
      'config/config.default.js': 'exports.workerStartTimeout = 1;',
    });
    await expect(app.ready()).rejects.toThrow('is not ready after 1ms');
  });

  test('keeps the options it was given as they are, not a copy', () => {
    const options = { baseDir: tree({}), port: 5, foo: true };
    const app = new Kind(options);
    started.push(app);
    expect(app.options).toBe(options);
    expect(app.baseDir).toBe(options.baseDir);
    expect(app.messenger).toBe(globalThis[INSTANCE]);
    expect(app.type).toBe(name.toLowerCase());
  });
});

describe('close()', () => {
  test('runs the hooks in reverse order, one after the other, once', async () => {
    const app = start(Application, {});
    const order = [];
    app.beforeClose(() => order.push('first registered'));
    app.beforeClose(async () => {
      await nextTurn();
      order.push('last registered');
    });
    app.once('close', () => order.push('close event'));
    await Promise.all([app.close(), app.close()]);
    expect(order).toEqual(['last registered', 'first registered', 'close event']);
  });

  test('runs all hooks and rejects with the first failure', async () => {
    const app = start(Application, {});
    const hook = jest.fn();
    app.beforeClose(hook);
    app.beforeClose(() => { throw new Error('second'); });
    app.beforeClose(async () => { throw new Error('first'); });
    await expect(app.close()).rejects.toThrow('first');
    expect(hook).toHaveBeenCalledTimes(1);
  });

  test('is bounded, and names the hook that hangs', async () => {
    process.env.EGG_APP_CLOSE_TIMEOUT = '10';
    try {
      const app = start(Application, {});
      app.beforeClose(function hangs() {
        return new Promise(() => {});
      });
      await expect(app.close()).rejects.toThrow('close hook hangs is not done after 9ms');
    } finally {
      delete process.env.EGG_APP_CLOSE_TIMEOUT;
    }
  });

  test('leaves no listener behind on the messenger', async () => {
    const app = start(Agent, {});
    await app.close();
    expect(app.messenger.listenerCount('egg-ready')).toBe(0);
  });

  test('refuses hooks that come too late, and what is no function', async () => {
    const app = start(Application, {});
    expect(() => app.beforeClose()).toThrow(TypeError);
    expect(() => app.beforeStart(5)).toThrow(TypeError);
    await app.close();
    expect(() => app.beforeClose(() => {})).toThrow('comes too late');
  });
});

describe('ready', () => {
  test('calls at once when it is so already, with the error if there is one', () => {
    const ready = new Ready();
    ready.ready(true);
    const callback = jest.fn();
    ready.ready(callback);
    expect(callback).toHaveBeenCalledWith(undefined);
    const failed = new Ready();
    const error = new Error('x');
    failed.ready(error);
    failed.ready(callback);
    expect(callback).toHaveBeenLastCalledWith(error);
  });

  test('calls those who waited in the order they came, in a later tick', async () => {
    const ready = new Ready();
    const order = [];
    ready.ready(() => order.push(1));
    ready.ready(() => order.push(2));
    ready.ready(true);
    expect(order).toEqual([]);
    await nextTurn();
    expect(order).toEqual([1, 2]);
  });

  test('is a promise without argument, and can be taken back by false', async () => {
    const ready = new Ready();
    const before = ready.ready();
    ready.ready(true);
    await before;
    ready.ready(false);
    const callback = jest.fn();
    ready.ready(callback);
    expect(callback).not.toHaveBeenCalled();
    ready.ready(new Error('late'));
    await expect(ready.ready()).rejects.toThrow('late');
  });
});
