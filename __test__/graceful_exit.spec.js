'use strict';

const { EventEmitter } = require('events');
const { gracefulExit } = require('../lib/worker/graceful_exit');

/** A process that writes its exit down and tells it as an event, as the real one does. */
function setUp({ label, worker, close = () => {}, settle }) {
  const lines = [];
  const log = level => (text, ...args) => lines.push(`${level} ${require('util').format(text, ...args)}`);
  const target = new EventEmitter();
  target.exits = [];
  target.exited = new Promise(resolve => {
    target.exit = code => {
      target.exits.push(code);
      target.emit('exit', code);
      resolve(code);
    };
  });
  // null, as an undefined one would stand for the real process's own.
  gracefulExit({ label, logger: { info: log('info'), error: log('error') }, close, settle, target, worker: worker ?? null });
  return { target, lines };
}

const nextTurn = () => new Promise(resolve => setImmediate(resolve));

describe('SIGTERM', () => {
  test.each(['agent_worker', 'app_worker'])('runs the close hooks of %s and exits 0', async label => {
    const order = [];
    const { target, lines } = setUp({
      label,
      worker: label === 'app_worker' ? new EventEmitter() : null,
      close: async () => {
        await nextTurn();
        order.push('closed');
      },
    });
    target.emit('SIGTERM');
    expect(await target.exited).toBe(0);
    expect(order).toEqual(['closed']);
    expect(lines).toEqual([
      `info [${label}] receive signal SIGTERM, exiting with code:0`,
      `info [${label}] beforeExit success`,
      `info [${label}] exit with code:0`,
    ]);
  });

  test('exits when what the close hooks have left is settled, also where they fail', async () => {
    for (const close of [() => {}, () => { throw new Error('close broke'); }]) {
      let settled;
      const { target } = setUp({ label: 'app_worker', close, settle: () => new Promise(resolve => { settled = resolve; }) });
      target.emit('SIGTERM');
      await nextTurn();
      expect(target.exits).toEqual([]);
      settled();
      expect(await target.exited).toBe(0);
    }
  });

  test('is handled once: the second one is left to the system', () => {
    const { target } = setUp({ label: 'app_worker', worker: new EventEmitter() });
    target.emit('SIGTERM');
    expect(target.listenerCount('SIGTERM')).toBe(0);
  });

  test.each([
    ['throws', () => { throw new Error('close broke'); }],
    ['rejects', async () => { throw new Error('close broke'); }],
  ])('exits with the same code when a close hook %s', async (how, close) => {
    const { target, lines } = setUp({ label: 'agent_worker', close });
    target.emit('SIGTERM');
    expect(await target.exited).toBe(0);
    expect(lines[1]).toBe('error [agent_worker] beforeExit fail, error: close broke');
  });

  test('tells what was thrown when it is no error', async () => {
    const { target, lines } = setUp({ label: 'agent_worker', close: () => Promise.reject('a text') });
    target.emit('SIGTERM');
    await target.exited;
    expect(lines[1]).toBe('error [agent_worker] beforeExit fail, error: a text');
  });
});

describe('process exit', () => {
  test.each([[0, 'info'], [1, 'error'], [110, 'error']])('with code %d is told at level %s', (code, level) => {
    const { target, lines } = setUp({ label: 'app_worker', worker: new EventEmitter() });
    target.exit(code);
    expect(lines).toEqual([`${level} [app_worker] exit with code:${code}`]);
  });
});

describe('a lost master', () => {
  test('ends the agent with 110 after its close hooks', async () => {
    const close = jest.fn();
    const { target, lines } = setUp({ label: 'agent_worker', close });
    target.emit('disconnect');
    expect(await target.exited).toBe(110);
    expect(close).toHaveBeenCalledTimes(1);
    expect(lines).toEqual([
      'error [agent_worker] receive disconnect event on child_process fork mode, exiting with code:110',
      'info [agent_worker] beforeExit success',
      'error [agent_worker] exit with code:110',
    ]);
  });

  test('does not count in the agent when SIGTERM comes in the same turn', async () => {
    const close = jest.fn();
    const { target, lines } = setUp({ label: 'agent_worker', close });
    target.emit('disconnect');
    await new Promise(process.nextTick);
    target.emit('SIGTERM');
    expect(await target.exited).toBe(0);
    await nextTurn();
    expect(target.exits).toEqual([0]);
    expect(close).toHaveBeenCalledTimes(1);
    expect(lines.join()).not.toContain('disconnect event');
  });

  test('does not count in the agent while it is stopping', async () => {
    let finish;
    const { target, lines } = setUp({ label: 'agent_worker', close: () => new Promise(resolve => { finish = resolve; }) });
    target.emit('SIGTERM');
    await nextTurn();
    target.emit('disconnect');
    await nextTurn();
    finish();
    expect(await target.exited).toBe(0);
    expect(lines.join()).not.toContain('disconnect event');
  });

  test('is told by the app, whose process Node ends; its close hooks do not run', async () => {
    const close = jest.fn();
    const worker = Object.assign(new EventEmitter(), { exitedAfterDisconnect: false });
    const { target, lines } = setUp({ label: 'app_worker', worker, close });
    worker.emit('disconnect');
    target.emit('disconnect');
    await nextTurn();
    expect(lines).toEqual(['error [app_worker] receive disconnect event in cluster fork mode, exitedAfterDisconnect:false']);
    expect(close).not.toHaveBeenCalled();
    expect(target.exits).toEqual([]);
  });

  test('is no news for an app that asked for the disconnect, or that is stopping', () => {
    const asked = Object.assign(new EventEmitter(), { exitedAfterDisconnect: true });
    const first = setUp({ label: 'app_worker', worker: asked });
    asked.emit('disconnect');
    expect(first.lines).toEqual([]);

    const stopping = new EventEmitter();
    const second = setUp({ label: 'app_worker', worker: stopping });
    second.target.emit('SIGTERM');
    stopping.emit('disconnect');
    expect(second.lines.join()).not.toContain('disconnect event');
  });
});
