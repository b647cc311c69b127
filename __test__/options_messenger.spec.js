'use strict';

const { parseOptions } = require('..');
const { messengerSettings } = require('../lib/options/messenger');
const { appDir, removeAll } = require('./support/app_dir');

let baseDir;
beforeAll(() => { baseDir = appDir(); });
afterAll(removeAll);

const MB = 2 ** 20;
const parse = messenger => parseOptions({ baseDir, workers: 1, messenger });

test.each([
  [{}, { serialization: 'json', arena: 64 * MB, maxQueue: 256 * MB }],
  [{ serialization: 'json', arena: null }, { serialization: 'json', arena: 64 * MB, maxQueue: 256 * MB }],
  [{ serialization: 'advanced' }, { serialization: 'advanced', arena: 64 * MB, maxQueue: 256 * MB }],
  [{ arena: '8mb', maxQueue: '1gb' }, { serialization: 'json', arena: 8 * MB, maxQueue: 1024 * MB }],
  [{ arena: 2 * MB, maxQueue: 3 * MB }, { serialization: 'json', arena: 2 * MB, maxQueue: 3 * MB }],
])('messenger: %j is %j', async (given, expected) => {
  expect((await parse(given)).messenger).toEqual(expected);
});

test.each([null, undefined])('messenger: %p is not given, and workers take the defaults', async given => {
  const options = await parse(given);
  expect(options).not.toHaveProperty('messenger');
  expect(messengerSettings(options)).toEqual({ serialization: 'json', arena: 64 * MB, maxQueue: 256 * MB });
});

test.each([
  ['json', /^options\.messenger must be an object with serialization, arena, maxQueue, got 'json'/], [true, /^options\.messenger must/],
  [[], /^options\.messenger must/], [{ queue: '1mb' }, /^options\.messenger must be .+, and has no queue, got/],
  [{ serialization: 'v8' }, /^options\.messenger\.serialization must be 'json' or 'advanced', got 'v8'/],
  [{ arena: '1kb' }, /^options\.messenger\.arena must be a size from 1mb to 16gb: /], [{ arena: 'much' }, /^options\.messenger\.arena must/],
  [{ maxQueue: 0 }, /^options\.messenger\.maxQueue must be a size from 1mb to 64gb: /],
])('messenger: %j is refused by name', async (given, text) => {
  await expect(parse(given)).rejects.toMatchObject({ code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(text) });
});
