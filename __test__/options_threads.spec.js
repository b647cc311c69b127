'use strict';

const { parseOptions } = require('..');
const { appDir, removeAll } = require('./support/app_dir');
const { refusal } = require('./support/refusal');

let baseDir;
let egg4;
beforeAll(() => {
  baseDir = appDir();
  egg4 = appDir({ stock: '@eggjs/cluster' });
});
afterAll(removeAll);

const parse = options => parseOptions({ baseDir, ...options });
const threads = options => parse({ startMode: 'worker_threads', ...options });

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
  expect(await refusal(threads(given))).toMatchObject({ code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(text) });
});

test.each([['sticky', true], ['balance', 'kernel']])('%s: %p is refused, as threads share no socket', async (name, value) => {
  const error = await refusal(threads({ [name]: value }));
  expect(error.code).toBe('ERR_CLUTCH_OPTION');
  expect(error.message).toMatch(new RegExp(`^options\\.${name} is not `));
});

describe('reusePort', () => {
  const { parseThreads, knowsReusePort } = require('../lib/options/threads');
  const parsed = (given, version = '22.12.0') => parseThreads({ startMode: 'worker_threads', reusePort: true, ...given }, given.debugPort, version);

  test('leaves the number of threads on the one port to options.workers', () => {
    expect(parsed({ port: 7001, workers: 3 })).toEqual({ startMode: 'worker_threads', ports: [], workers: null });
  });

  test.each([
    [{}, '22.12.0', /^options\.port must be specified when reusePort is enabled$/],
    [{ port: 7001, ports: [7001] }, '22.12.0', /^options\.ports is not possible with .* \(got \[ 7001 \]\); with reusePort all app threads listen on options\.port/],
    [{ port: 7001, debugPort: 7002 }, '22.12.0', /^options\.debugPort is not possible with /],
    [{ port: 7001 }, '20.19.0', /^options\.reusePort is not possible with .* Node\.js 20\.19\.0 cannot do that, 22\.12 and later can/],
  ])('%p on Node %s is refused', (given, version, text) => {
    expect(() => parsed(given, version)).toThrow(expect.objectContaining({ code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(text) }));
  });

  test('is known to the Nodes whose listen() takes it', () => {
    const versions = ['18.20.8', '20.20.2', '22.11.0', '22.12.0', '22.20.0', '23.0.0', '23.1.0', '24.0.0', '26.0.0'];
    expect(versions.filter(knowsReusePort)).toEqual(['22.12.0', '22.20.0', '23.1.0', '24.0.0', '26.0.0']);
  });
});

test('ports are refused where processes share one', async () => {
  expect(await refusal(parse({ ports: [7001] }))).toMatchObject({
    code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(/^options\.ports belongs to startMode 'worker_threads' \(got \[ 7001 \]\); .{10,}/),
  });
});
