'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { parseOptions } = require('..');
const { appDir, removeAll } = require('./support/app_dir');
const { refusal } = require('./support/refusal');

const NAMES = ['appWorkerFile', 'agentWorkerFile', 'appSnapshotBlob', 'agentSnapshotBlob'];
let baseDir;
beforeAll(() => {
  baseDir = appDir();
  fs.writeFileSync(path.join(baseDir, 'entry.js'), '');
});
afterAll(removeAll);

const parse = options => parseOptions({ baseDir, workers: 1, ...options });
const errorOf = options => refusal(parse(options));

test.each(NAMES)('%s is a file, looked for from baseDir', async name => {
  const file = path.join(baseDir, 'entry.js');
  expect((await parse({ [name]: './entry.js' }))[name]).toBe(file);
  expect((await parse({ [name]: file }))[name]).toBe(file);
  expect(await parse({ [name]: null })).not.toHaveProperty(name);
});

test.each(NAMES.flatMap(name => [5, '', 'nobody.js', '.', {}].map(value => [name, value])))('%s: %p is refused', async (name, value) => {
  expect((await errorOf({ [name]: value })).message).toContain(`options.${name} must be the path of a file that is there`);
});

test('threads are restored from no snapshot', async () => {
  expect((await errorOf({ startMode: 'worker_threads', ports: [7001], appSnapshotBlob: 'entry.js' })).message).toContain('options.appSnapshotBlob must be left out');
});

test('a bundle brings all that it loads', async () => {
  expect((await errorOf({ require: 'x', agentWorkerFile: 'entry.js' })).message).toContain('options.require cannot be given together with options.agentWorkerFile');
});
