'use strict';

const { parseOptions } = require('..');
const { supervision, timeouts } = require('../lib/options/supervision');
const { appDir, removeAll } = require('./support/app_dir');
const { refusal } = require('./support/refusal');

let baseDir;
beforeAll(() => { baseDir = appDir(); });
afterAll(removeAll);

const errorOf = options => refusal(parseOptions({ baseDir, workers: 1, ...options }));

test('without any of the options, the supervisor has its defaults', () => {
  expect(supervision({})).toEqual({
    drainMs: undefined, bootTimeoutMs: 600000, spares: 0, reloadConcurrency: 1, reloadAgent: false, preStopDelayMs: 0,
    restart: { backoffBaseMs: 100, backoffCapMs: 15000, healthyAfterMs: 10000, intensity: 60, intensityPeriodMs: 60000, endsMaster: false },
  });
  expect(timeouts({})).toEqual({ bootMs: 600000, drainMs: undefined, lingerMs: undefined });
});

test.each([
  [{ timeouts: { boot: '90s', drain: 0, linger: '1.5s' } }, { bootTimeoutMs: 90000, drainMs: 0 }],
  [{ restart: { backoff: '1s..2m' } }, { restart: expect.objectContaining({ backoffBaseMs: 1000, backoffCapMs: 120000 }) }],
  [{ restart: { backoff: 250 } }, { restart: expect.objectContaining({ backoffBaseMs: 250, backoffCapMs: 250 }) }],
  [{ restart: { intensity: [5, '1m'], then: 'exit', healthyAfter: '1m' } },
    { restart: expect.objectContaining({ intensity: 5, intensityPeriodMs: 60000, endsMaster: true, healthyAfterMs: 60000 }) }],
  [{ reload: { concurrency: 3, agent: true } }, { reloadConcurrency: 3, reloadAgent: true }],
  [{ spare: 2 }, { spares: 2 }],
  [{ preStopDelay: '5s' }, { preStopDelayMs: 5000 }],
  [{ timeouts: null, restart: null, reload: {}, spare: null, preStopDelay: null }, { spares: 0, preStopDelayMs: 0 }],
])('%j is taken', (options, expected) => {
  expect(supervision(options)).toMatchObject(expected);
});

test.each([
  ['timeouts', '10m'], ['timeouts', { boot: 0 }], ['timeouts', { drain: 'soon' }], ['timeouts', { linger: -1 }], ['timeouts', { stop: 5 }],
  ['restart', 'exit'], ['restart', { then: 'stop' }], ['restart', { backoff: '2s..1s' }], ['restart', { backoff: '1s..2s..3s' }],
  ['restart', { intensity: 60 }], ['restart', { intensity: [0, '1s'] }], ['restart', { intensity: [5, 0] }], ['restart', { limit: 5 }],
  ['reload', true], ['reload', { concurrency: 0 }], ['reload', { concurrency: 1.5 }], ['reload', { agent: 'yes' }],
  ['spare', -1], ['spare', '1'], ['spare', 1.5], ['preStopDelay', -1], ['preStopDelay', 'soon'], ['preStopDelay', true],
])('%s: %j is refused by name', async (name, value) => {
  const error = await errorOf({ [name]: value });
  expect(error.code).toBe('ERR_CLUTCH_OPTION');
  expect(error.message).toMatch(new RegExp(`^options\\.${name}\\S* must be .{4,}, got `));
});

test('spares and threads do not go together', async () => {
  const error = await errorOf({ startMode: 'worker_threads', port: 7001, spare: 1 });
  expect(error.message).toMatch(/^options\.spare must be 0 together with startMode 'worker_threads'/);
});

test('the workers get the options as they were given', async () => {
  const given = { timeouts: { drain: '3s' }, restart: { then: 'exit' }, reload: { agent: true }, spare: 1, preStopDelay: '5s' };
  expect(await parseOptions({ baseDir, workers: 1, ...given })).toMatchObject(given);
});
