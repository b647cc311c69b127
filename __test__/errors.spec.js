'use strict';

const { CODES, ClutchError, ClusterAgentWorkerError, ClusterWorkerExceptionError } = require('../lib/errors');

describe('ClutchError', () => {
  test('has a code, a text, a cause and a name', () => {
    const cause = new Error('underneath');
    const error = new ClutchError('ERR_CLUTCH_LISTEN', 'port 1 is taken', { cause });
    expect(error).toBeInstanceOf(Error);
    expect(error.code).toBe('ERR_CLUTCH_LISTEN');
    expect(error.message).toBe('port 1 is taken');
    expect(error.cause).toBe(cause);
    expect(error.name).toBe('ClutchError');
    expect(error.stack).toMatch(/^ClutchError: port 1 is taken\n/);
    expect(Object.keys(error)).toEqual(['code']);
  });

  test('knows every code of the documented list and no other', () => {
    expect(Object.keys(CODES)).toEqual([
      'OPTION', 'BOOT', 'SPAWN', 'LISTEN', 'PLATFORM', 'PROTOCOL', 'MESSAGE_TOO_BIG', 'QUEUE_FULL', 'NO_RECEIVER', 'TIMEOUT',
      'RELOAD', 'CLOSED',
    ].map(name => `ERR_CLUTCH_${name}`));
    expect(() => new ClutchError('ERR_CLUTCH_SOMETHING', 'x')).toThrow('unknown error code ERR_CLUTCH_SOMETHING');
    expect(() => new ClutchError('toString', 'x')).toThrow(TypeError);
  });

  test('from() keeps the code and text of a native error, with the error as cause', () => {
    const native = Object.assign(new Error('fork: EAGAIN'), { code: 'ERR_CLUTCH_SPAWN' });
    const error = ClutchError.from(native, 'ERR_CLUTCH_BOOT');
    expect(error).toMatchObject({ code: 'ERR_CLUTCH_SPAWN', message: 'fork: EAGAIN', cause: native });
  });

  test('from() gives the fallback to a code nobody documented', () => {
    const native = Object.assign(new Error('napi'), { code: 'GenericFailure' });
    expect(ClutchError.from(native, 'ERR_CLUTCH_BOOT').code).toBe('ERR_CLUTCH_BOOT');
    expect(ClutchError.from('a string', 'ERR_CLUTCH_BOOT')).toMatchObject({ code: 'ERR_CLUTCH_BOOT', message: 'a string' });
  });

  test('from() leaves one of our own alone', () => {
    const error = new ClutchError('ERR_CLUTCH_CLOSED', 'closed');
    expect(ClutchError.from(error, 'ERR_CLUTCH_BOOT')).toBe(error);
  });
});

test('ClusterAgentWorkerError wraps what the agent reported', () => {
  const cause = new Error('no database');
  const error = new ClusterAgentWorkerError(1, 4711, 'started', cause);
  expect(error).toMatchObject({
    name: 'ClusterAgentWorkerError', message: 'Got agent worker error: no database', id: 1, workerId: 4711, status: 'started', cause,
  });
});

test('ClusterWorkerExceptionError counts who is alive', () => {
  const error = new ClusterWorkerExceptionError(1, 0);
  expect(error).toMatchObject({
    name: 'ClusterWorkerExceptionError',
    message: '[master] 1 agent and 0 worker(s) alive, exit to avoid unknown state',
    count: { agent: 1, worker: 0 },
  });
});
