'use strict';

const { readEnvironment, isProduction, isQuiet } = require('../lib/options/environment');

describe('readEnvironment', () => {
  test('has defaults', () => {
    expect(readEnvironment({})).toEqual({
      nodeEnv: undefined, host: undefined, logLevel: 'INFO', appCloseTimeoutMs: 5000, agentCloseTimeoutMs: 5000, agentInspectPort: 5800,
    });
  });

  test('takes EGG_MASTER_CLOSE_TIMEOUT for both, and what is said of one process before it', () => {
    expect(readEnvironment({ EGG_MASTER_CLOSE_TIMEOUT: '1000' })).toMatchObject({ appCloseTimeoutMs: 1000, agentCloseTimeoutMs: 1000 });
    expect(readEnvironment({ EGG_MASTER_CLOSE_TIMEOUT: '1000', EGG_APP_CLOSE_TIMEOUT: '0', EGG_AGENT_CLOSE_TIMEOUT: '20' }))
      .toMatchObject({ appCloseTimeoutMs: 0, agentCloseTimeoutMs: 20 });
  });

  test.each([['', undefined], ['0.0.0.0', undefined], ['example.com', 'example.com'], ['127.0.0.1', '127.0.0.1']])('HOST %p is %p', (HOST, host) => {
    expect(readEnvironment({ HOST }).host).toBe(host);
  });

  test('notes NODE_ENV as it is at the call', () => {
    expect(readEnvironment({ NODE_ENV: 'test' }).nodeEnv).toBe('test');
  });

  test('takes a log level in any letter case', () => {
    expect(readEnvironment({ EGG_MASTER_LOGGER_LEVEL: 'debug' }).logLevel).toBe('DEBUG');
    expect(readEnvironment({ EGG_MASTER_LOGGER_LEVEL: '' }).logLevel).toBe('INFO');
  });

  test('takes a port for the inspector of the agent', () => {
    expect(readEnvironment({ EGG_AGENT_DEBUG_PORT: '6000' }).agentInspectPort).toBe(6000);
    expect(readEnvironment({ EGG_AGENT_DEBUG_PORT: '0' }).agentInspectPort).toBe(5800);
  });

  test.each([
    ['EGG_APP_CLOSE_TIMEOUT', '5s', 'whole number of milliseconds'], ['EGG_AGENT_CLOSE_TIMEOUT', '-1', 'whole number of milliseconds'],
    ['EGG_MASTER_CLOSE_TIMEOUT', '99999999999', '2147483647'], ['EGG_AGENT_DEBUG_PORT', '70000', '65535'],
    ['EGG_AGENT_DEBUG_PORT', 'x', '65535'], ['EGG_MASTER_LOGGER_LEVEL', 'LOUD', 'ALL, DEBUG, INFO, WARN, ERROR, NONE'],
  ])('%s may not be %p', (name, value, allowed) => {
    expect(() => readEnvironment({ [name]: value })).toThrow(expect.objectContaining({
      code: 'ERR_CLUTCH_OPTION',
      message: expect.stringMatching(new RegExp(`^environment variable ${name} must be .*${allowed}.*, got '${value}'`)),
    }));
  });
});

test.each([
  ['local', 'production', false], ['unittest', 'production', false], ['default', 'test', true], ['prod', undefined, true], ['test', undefined, true],
  [null, 'production', true], [undefined, 'production', true], [null, 'development', false], [null, undefined, false],
])('env %p with NODE_ENV %p: production is %p', (env, nodeEnv, production) => {
  expect(isProduction(env, nodeEnv)).toBe(production);
});

test.each([
  ['local', undefined, true], ['prod', 'development', true], ['prod', 'production', false], [null, undefined, false],
])('env %p with NODE_ENV %p: quiet is %p', (env, nodeEnv, quiet) => {
  expect(isQuiet(env, nodeEnv)).toBe(quiet);
});
