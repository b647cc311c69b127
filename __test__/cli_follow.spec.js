'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { Follower } = require('../lib/cli/follow');

let dir;
let file;
let follower;
let text;
let onText;

beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'egg-clutch-logs-'));
  file = path.join(dir, 'out.log');
  text = '';
  onText = () => {};
  follower = new Follower(file, bytes => { text += bytes; onText(); });
});

afterEach(async () => {
  await follower.end();
  fs.rmSync(dir, { recursive: true });
});

/** Resolves when all that has been read ends so. */
const read = end => new Promise(resolve => {
  onText = () => text.endsWith(end) && resolve();
  onText();
});

test.each([
  [0, ''], [1, 'three\n'], [2, 'two\nthree\n'], [3, 'one\ntwo\nthree\n'], [99, 'one\ntwo\nthree\n'],
])('the last %d lines come first', async (lines, expected) => {
  fs.writeFileSync(file, 'one\ntwo\nthree\n');
  expect(await follower.begin(lines)).toBe(true);
  expect(text).toBe(expected);
});

test('the last lines of a file that is longer than one read', async () => {
  const lines = Array.from({ length: 20000 }, (_, place) => `line ${place}`);
  fs.writeFileSync(file, lines.join('\n'));
  await follower.begin(15000);
  expect(text).toBe(lines.slice(-15000).join('\n'));
});

test('what is added comes, also by a file that is not there yet', async () => {
  expect(await follower.begin(10)).toBe(false);
  follower.follow();
  fs.writeFileSync(file, 'first\n');
  await read('first\n');
  fs.appendFileSync(file, 'second\n');
  await read('first\nsecond\n');
});

test('a rename is followed to the new file, and the end of the old one is not lost', async () => {
  fs.writeFileSync(file, 'old\n');
  await follower.begin(10);
  follower.follow();
  fs.renameSync(file, `${file}.1`);
  fs.appendFileSync(`${file}.1`, 'late\n');
  await read('late\n');
  fs.writeFileSync(file, 'new\n');
  await read('old\nlate\nnew\n');
});

test('a file that is truncated is read from its beginning', async () => {
  fs.writeFileSync(file, 'a long first line\n');
  await follower.begin(10);
  follower.follow();
  fs.writeFileSync(file, 'short\n');
  await read('short\n');
});
