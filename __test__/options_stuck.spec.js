'use strict';

const { parseOptions } = require('..');
const { stuckOptions } = require('../lib/options/stuck');
const { appDir, removeAll } = require('./support/app_dir');
const { refusal } = require('./support/refusal');

let baseDir;
beforeAll(() => { baseDir = appDir(); });
afterAll(removeAll);

const parse = options => parseOptions({ baseDir, workers: 1, ...options });
const errorOf = options => refusal(parse(options));

test('the watch is on by default, and false turns it off', () => {
  expect(stuckOptions(undefined)).toEqual({ steerAfterMs: 1000, killAfterMs: 30000, stack: true });
  expect(stuckOptions(false)).toBe(undefined);
});

test('durations are texts or milliseconds, and each may be left out', async () => {
  const stuck = { steerAfter: 500, killAfter: '1m', stack: false };
  expect((await parse({ stuck })).stuck).toEqual(stuck);
  expect(stuckOptions(stuck)).toEqual({ steerAfterMs: 500, killAfterMs: 60000, stack: false });
  expect(stuckOptions({ steerAfter: undefined, killAfter: null, stack: undefined })).toEqual(stuckOptions(undefined));
  await parse({ stuck: { steerAfter: undefined, stack: null } });
  expect(stuckOptions({ killAfter: '2s' })).toEqual({ steerAfterMs: 1000, killAfterMs: 2000, stack: true });
});

test.each([
  [true, /^options\.stuck must be false or an object/],
  ['1s', /^options\.stuck must be/],
  [{ steer: '1s' }, /^options\.stuck must be an object with no more than steerAfter, killAfter, stack, got \{ steer: '1s' \}/],
  [{ steerAfter: 'soon' }, /^options\.stuck\.steerAfter must be a duration/],
  [{ killAfter: 5 }, /^options\.stuck\.killAfter must be a duration from 100 ms/],
  [{ stack: 1 }, /^options\.stuck\.stack must be true or false/],
  [{ steerAfter: '5s', killAfter: '2s' }, /^options\.stuck\.killAfter must be at least steerAfter \(5000 ms\), got '2s'/],
])('%p is refused', async (stuck, message) => {
  const error = await errorOf({ stuck });
  expect(error.code).toBe('ERR_CLUTCH_OPTION');
  expect(error.message).toMatch(message);
});

test('threads cannot be watched, and need not be told so', async () => {
  const error = await errorOf({ startMode: 'worker_threads', stuck: { killAfter: '5s' } });
  expect(error.code).toBe('ERR_CLUTCH_OPTION');
  expect(error.message).toMatch(/^options\.stuck .*worker_threads/);
  await parse({ startMode: 'worker_threads', stuck: false });
  await parse({ startMode: 'worker_threads' });
});
