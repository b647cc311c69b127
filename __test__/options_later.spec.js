'use strict';

const { parseOptions } = require('..');
const { LATER } = require('../lib/options/later');
const { appDir, removeAll } = require('./support/app_dir');
const { refusal } = require('./support/refusal');

let baseDir;
beforeAll(() => { baseDir = appDir(); });
afterAll(removeAll);

const parse = options => parseOptions({ baseDir, workers: 1, ...options });
const errorOf = options => refusal(parse(options));

// By option: what asks for what happens anyway, what this version cannot do, and what has no meaning at all.
const VALUES = {
  control: { today: [false], later: ['run/clutch.sock'], bad: [true, 5, ''] },
  admin: { today: [false], later: [{ port: 9000 }], bad: [true, 9000] },
};

const rows = kind => Object.entries(VALUES).flatMap(([name, values]) => values[kind].map(value => [name, value]));

test('every such option is in this table', () => {
  expect(Object.keys(VALUES).sort()).toEqual(Object.keys(LATER).sort());
});

test.each(rows('today'))('%s: %p is taken and kept', async (name, value) => {
  expect((await parse({ [name]: value }))[name]).toEqual(value);
});

test.each(Object.keys(VALUES))('%s: null and undefined are fine', async name => {
  expect((await parse({ [name]: null }))[name]).toEqual((await parse({}))[name]);
  expect((await parse({ [name]: undefined }))[name]).toEqual((await parse({}))[name]);
});

test.each(rows('later'))('%s: %p is refused with what to do', async (name, value) => {
  const error = await errorOf({ [name]: value });
  expect(error.code).toBe('ERR_CLUTCH_OPTION');
  expect(error.message).toMatch(new RegExp(`^options\\.${name} is not available in this version \\(got .+\\); .{10,}`));
});

test.each(rows('bad'))('%s: %p is refused with what is allowed', async (name, value) => {
  const error = await errorOf({ [name]: value });
  expect(error.code).toBe('ERR_CLUTCH_OPTION');
  expect(error.message).toMatch(new RegExp(`^options\\.${name} must be .{4,}, got `));
});
