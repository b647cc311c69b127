'use strict';

const { Agent } = require('../lib/framework');
const { tree, removeAll } = require('./support/app_dir');

afterAll(removeAll);

describe('the agent', () => {
  let agent;
  let added;

  function start(files = {}) {
    const before = name => process.listeners(name);
    const known = { uncaughtException: before('uncaughtException'), unhandledRejection: before('unhandledRejection') };
    agent = new Agent({ baseDir: tree(files) });
    agent.coreLogger = { error: jest.fn() };
    added = Object.fromEntries(Object.entries(known)
      .map(([name, old]) => [name, process.listeners(name).filter(listener => !old.includes(listener))]));
  }

  afterEach(() => agent.close());

  test.each([
    ['uncaughtException', 'unhandledExceptionError'],
    ['unhandledRejection', 'unhandledRejectionError'],
  ])('logs an %s and goes on', (event, name) => {
    start();
    expect(added[event]).toHaveLength(1);
    const error = new Error('nobody caught me');
    added[event][0](error);
    expect(agent.coreLogger.error).toHaveBeenCalledWith(error);
    expect(error.name).toBe(name);
  });

  test('leaves the name of special errors, and makes an error of anything else', () => {
    start();
    const special = new TypeError('special');
    added.uncaughtException[0](special);
    expect(special.name).toBe('TypeError');
    added.unhandledRejection[0]('a text');
    expect(agent.coreLogger.error).toHaveBeenLastCalledWith(
      expect.objectContaining({ name: 'unhandledRejectionError', message: 'a text' }));
  });

  test('stops doing so when it is closed', async () => {
    start();
    await agent.close();
    expect(process.listeners('uncaughtException')).not.toContain(added.uncaughtException[0]);
    expect(process.listeners('unhandledRejection')).not.toContain(added.unhandledRejection[0]);
  });

  test('does not catch what its own file throws', () => {
    start();
    const before = process.listenerCount('uncaughtException');
    expect(() => new Agent({ baseDir: tree({ 'agent.js': 'throw new Error("broken agent");' }) })).toThrow('broken agent');
    expect(process.listenerCount('uncaughtException')).toBe(before);
  });
});
