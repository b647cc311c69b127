'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { CompileCache } = require('../lib/master/compile_cache');

const uid = process.getuid();
let temporary;
beforeEach(() => { temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'egg-clutch-cache-')); });
afterEach(() => fs.rmSync(temporary, { recursive: true }));

const own = () => path.join(temporary, `egg-clutch-${uid}`);
const variables = (env = {}, facts = {}) => new CompileCache({ version: '22.1.0', uid, temporary, ...facts }).variables(env);
const expected = () => [`NODE_COMPILE_CACHE=${path.join(own(), 'compile-cache')}`, 'EGG_CLUTCH_COMPILE_CACHE=on'];

test.each([['22.1.0', true], ['24.11.1', true], ['22.0.0', false], ['20.20.2', false], ['18.19.0', false]])('Node %s has one: %p', (version, has) => {
  expect(variables({}, { version })).toEqual(has ? expected() : []);
});

test('its folder is for its owner alone', () => {
  expect(variables()).toEqual(expected());
  expect(fs.statSync(own()).mode & 0o777).toBe(0o700);
  expect(variables()).toEqual(expected());
});

test.each(['NODE_COMPILE_CACHE', 'NODE_DISABLE_COMPILE_CACHE', 'NODE_V8_COVERAGE'])('where somebody has set %s, with whatever value, that counts', name => {
  expect(variables({ [name]: '' })).toEqual([]);
  expect(variables({ [name]: '/x' })).toEqual([]);
});

test.each([
  ['is a link', () => {
    fs.mkdirSync(path.join(temporary, 'elsewhere'), { mode: 0o700 });
    fs.symlinkSync(path.join(temporary, 'elsewhere'), own());
  }],
  ['can be written to by others', () => { fs.mkdirSync(own()); fs.chmodSync(own(), 0o777); }],
  ['is a file', () => fs.writeFileSync(own(), '')],
])('a folder that %s is not used', (_, lay) => {
  lay();
  expect(variables()).toEqual([]);
});

test('nor one that somebody else has made', () => {
  fs.mkdirSync(path.join(temporary, `egg-clutch-${uid + 1}`), { mode: 0o700 });
  expect(variables({}, { uid: uid + 1 })).toEqual([]);
});

test('without a folder for temporary files there is none', () => {
  expect(variables({}, { temporary: path.join(temporary, 'nowhere') })).toEqual([]);
});
