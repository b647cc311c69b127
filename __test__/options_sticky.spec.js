'use strict';

const { parseOptions } = require('..');
const { stickyOptions } = require('../lib/options/sticky');
const { appDir, removeAll } = require('./support/app_dir');
const { refusal } = require('./support/refusal');

let baseDir;
beforeAll(() => { baseDir = appDir(); });
afterAll(removeAll);

const parse = options => parseOptions({ baseDir, workers: 1, ...options });
const FIVE_SECONDS = 5000;

test.each([
  [true, { stickyBy: 'address', stickyWaitMs: FIVE_SECONDS }],
  [{ by: 'address' }, { stickyBy: 'address', stickyWaitMs: FIVE_SECONDS }],
  [{ by: 'proxy-protocol', wait: 250 }, { stickyBy: 'proxy-protocol', stickyWaitMs: 250 }],
  [{ by: { header: 'X-Id' }, wait: '1s' }, { stickyBy: 'header', stickyName: 'X-Id', stickyWaitMs: 1000 }],
  [{ by: { cookie: 'sid' } }, { stickyBy: 'cookie', stickyName: 'sid', stickyWaitMs: FIVE_SECONDS }],
])('%p is taken and kept, and the binding gets it in its words', async (sticky, expected) => {
  expect((await parse({ sticky })).sticky).toEqual(sticky);
  expect(stickyOptions(sticky)).toEqual(expected);
});

test.each([[false], [0], ['']])('%p is not sticky', async sticky => {
  expect((await parse({ sticky })).sticky).toBe(sticky);
  expect(stickyOptions(sticky)).toBe(undefined);
});

test.each([
  ['address', 'options.sticky must be true, false or {'],
  [1, 'options.sticky must be true, false or {'],
  [{}, 'options.sticky must be true, false or {'],
  [{ by: 'address', to: 1 }, 'options.sticky must be true, false or {'],
  [{ by: 'ip' }, "options.sticky.by must be 'address', 'proxy-protocol', { header: name }"],
  [{ by: { header: 'a', cookie: 'b' } }, 'options.sticky.by must be'],
  [{ by: { query: 'a' } }, 'options.sticky.by must be'],
  [{ by: { header: 'a b' } }, "options.sticky.by.header must be the name of a header, got 'a b'"],
  [{ by: { cookie: '' } }, "options.sticky.by.cookie must be the name of a cookie, got ''"],
  [{ by: 'proxy-protocol', wait: 0 }, 'options.sticky.wait must be a duration'],
  [{ by: 'proxy-protocol', wait: 'soon' }, 'options.sticky.wait must be a duration'],
])('%p is refused by name', async (sticky, message) => {
  const error = await refusal(parse({ sticky }));
  expect(error.code).toBe('ERR_CLUTCH_OPTION');
  expect(error.message).toContain(message);
});

test('what is in requests cannot be read over https', async () => {
  const https = { key: __filename, cert: __filename };
  for (const by of [{ header: 'x' }, { cookie: 'x' }]) {
    const error = await refusal(parse({ sticky: { by }, https }));
    expect(error.code).toBe('ERR_CLUTCH_OPTION');
    expect(error.message).toMatch(/^options\.sticky \(got .+\) cannot be used together with options\.https: .+/);
  }
  expect((await parse({ sticky: { by: 'proxy-protocol' }, https })).sticky).toEqual({ by: 'proxy-protocol' });
});
