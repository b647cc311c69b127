'use strict';

const { duration, MAX_TIMER_MS } = require('../lib/options/duration');
const { size } = require('../lib/options/size');

test.each([
  [0, 0], [250, 250], ['250', 250], ['250ms', 250], ['1s', 1000], ['1.5s', 1500], ['2m', 120000], ['1h', 3600000], [' 5s ', 5000],
])('the duration %p is %p ms', (value, ms) => {
  expect(duration('timeout', value)).toBe(ms);
});

test.each([-1, NaN, Infinity, '', 's', '5 s', '-5s', '5x', '1e3', null, {}, true, [5], MAX_TIMER_MS + 1, '25d', '9999h'])('the duration %p is refused', value => {
  expect(() => duration('options.x.timeout', value)).toThrow(expect.objectContaining({
    code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(/^options\.x\.timeout must be a duration from 0 ms to /),
  }));
});

test('a duration has its limits', () => {
  expect(() => duration('timeout', 0, { min: 1 })).toThrow(/must be a duration from 1 ms to /);
  expect(() => duration('timeout', '2s', { max: 1000 })).toThrow(/to 1000 ms: /);
});

test.each([
  [0, 0], [4096, 4096], ['4096', 4096], ['12b', 12], ['1kb', 1024], ['64mb', 64 * 2 ** 20], ['1.5GB', 1.5 * 2 ** 30], [' 5MB ', 5 * 2 ** 20],
])('the size %p is %p bytes', (value, bytes) => {
  expect(size('arena', value)).toBe(bytes);
});

test.each([-1, NaN, Infinity, '', 'mb', '5 mb', '-5mb', '5x', '1e3', null, {}, true, [5]])('the size %p is refused', value => {
  expect(() => size('options.x.arena', value)).toThrow(expect.objectContaining({
    code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(/^options\.x\.arena must be a size from 0b to /),
  }));
});

test('a size has its limits, and the error shows them as one writes them', () => {
  expect(() => size('arena', '1kb', { min: 2 ** 20, max: 2 ** 31 })).toThrow('arena must be a size from 1mb to 2gb: bytes, or a text such as \'64mb\', got \'1kb\'');
});
