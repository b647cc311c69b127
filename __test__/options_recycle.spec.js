'use strict';

const { parseOptions } = require('..');
const { recycleOptions } = require('../lib/options/recycle');
const { appDir, removeAll } = require('./support/app_dir');

let baseDir;
beforeAll(() => { baseDir = appDir(); });
afterAll(removeAll);

const MB = 2 ** 20;
const machine = { read: () => null, total: 1000 * MB };

test('each limit may be given or left out', () => {
  expect(recycleOptions({ memory: '512mb', requests: 10000, age: '1h', jitter: 0 })).toEqual({ memory: 512 * MB, requests: 10000, ageMs: 3600000, jitter: 0 });
  expect(recycleOptions({ memory: undefined, requests: 5, age: null, jitter: null })).toEqual({ requests: 5, jitter: 0.1 });
  expect(recycleOptions({ requests: 5 })).toEqual({ requests: 5, jitter: 0.1 });
});

test('a share is one of the memory of the container, for all together', () => {
  expect(recycleOptions({ memory: '80%' }, machine)).toEqual({ clusterMemory: 800 * MB, jitter: 0.1 });
});

test.each([undefined, null, false, {}, { jitter: 0.2 }])('%p renews nobody', recycle => {
  expect(recycleOptions(recycle)).toBe(undefined);
});

test.each([
  [true, /^options\.recycle must be false or an object/],
  [{ memory: 'much' }, /^options\.recycle\.memory must be a size from 16mb/],
  [{ memory: '0%' }, /^options\.recycle\.memory must be a size, or a share/],
  [{ memory: '101%' }, /^options\.recycle\.memory must be a size, or a share/],
  [{ requests: 0 }, /^options\.recycle\.requests must be a whole number/],
  [{ requests: '5' }, /^options\.recycle\.requests must be a whole number/],
  [{ age: 5 }, /^options\.recycle\.age must be a duration from 1000 ms/],
  [{ jitter: 1 }, /^options\.recycle\.jitter must be a number/],
  [{ ram: '1gb' }, /^options\.recycle must be an object with no more than memory, requests, age, jitter/],
])('%p is refused', async (recycle, message) => {
  await expect(parseOptions({ baseDir, workers: 1, recycle })).rejects.toMatchObject({ code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(message) });
});

test('threads cannot be renewed by it', async () => {
  const refused = parseOptions({ baseDir, startMode: 'worker_threads', recycle: { requests: 5 } });
  await expect(refused).rejects.toMatchObject({ code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(/worker_threads/) });
});
