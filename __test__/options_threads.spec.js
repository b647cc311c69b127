'use strict';

const { parseOptions } = require('..');
const { appDir, removeAll } = require('./support/app_dir');

let baseDir;
let egg4;
beforeAll(() => {
  baseDir = appDir();
  egg4 = appDir({ stock: '@eggjs/cluster' });
});
afterAll(removeAll);

const parse = options => parseOptions({ baseDir, ...options });
const threads = options => parse({ startMode: 'worker_threads', ...options });
const errorOf = promise => promise.then(() => { throw new Error('was taken'); }, error => error);

test('processes are the default', async () => {
  expect(await parse({ workers: 1 })).toMatchObject({ startMode: 'process', ports: [] });
  expect(await parse({ workers: 1, startMode: 'process', ports: [] })).toMatchObject({ startMode: 'process', ports: [] });
});

test.each([
  [{}, { workers: 1, ports: [] }],
  [{ port: 7001 }, { workers: 1, ports: [], port: 7001 }],
  [{ ports: [7001, '7002'] }, { workers: 2, ports: [7001, 7002] }],
  [{ ports: [7001, 7002, 7003], workers: 8 }, { workers: 3 }],
  [{ ports: [7001], debugPort: 7002 }, { workers: 1, debugPort: 7002 }],
  [{ ports: null, workers: 5 }, { workers: 1 }],
  [{ sticky: false, reusePort: false, balance: 'round-robin' }, { workers: 1 }],
])('threads with %p', async (given, expected) => {
  expect(await threads(given)).toMatchObject({ startMode: 'worker_threads', ...expected });
});

test('egg 4 gets no list of ports that nobody gave', async () => {
  const parsed = await parseOptions({ baseDir: egg4, startMode: 'worker_threads' });
  expect(parsed.ports).toBe(undefined);
  expect(parsed.workers).toBe(1);
});

test.each([
  [{ startMode: 'threads' }, /^options\.startMode must be 'process' or 'worker_threads', got 'threads'$/],
  [{ startMode: 1 }, /^options\.startMode must be /],
  [{ ports: 7001 }, /^options\.ports must be an array of TCP ports/],
  [{ ports: [7001, 7001] }, /^options\.ports must be .* each of them once, got \[ 7001, 7001 \]$/],
  [{ ports: [7001, 0] }, /^options\.ports\[1\] must be a TCP port from 1 to 65535, got 0$/],
  [{ ports: [null] }, /^options\.ports\[0\] must be /],
  [{ ports: ['x'] }, /^options\.ports\[0\] must be /],
  [{ ports: [70000] }, /^options\.ports\[0\] must be /],
  [{ ports: [7001, 7002], debugPort: 7003 }, /^options\.debugPort is not possible with startMode 'worker_threads'/],
  [{ ports: [7001], debugPort: 7001 }, /^options\.debugPort must be another port than those in options\.ports, got 7001$/],
])('threads with %p are refused', async (given, text) => {
  expect(await errorOf(threads(given))).toMatchObject({ code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(text) });
});

test.each([['sticky', true], ['reusePort', true], ['balance', 'kernel']])('%s: %p is refused, as threads share no socket', async (name, value) => {
  const error = await errorOf(threads({ [name]: value }));
  expect(error.code).toBe('ERR_CLUTCH_OPTION');
  expect(error.message).toMatch(new RegExp(`^options\\.${name} is not `));
});

test('ports are refused where processes share one', async () => {
  expect(await errorOf(parse({ ports: [7001] }))).toMatchObject({
    code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(/^options\.ports belongs to startMode 'worker_threads' \(got \[ 7001 \]\); .{10,}/),
  });
});
