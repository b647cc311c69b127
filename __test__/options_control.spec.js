'use strict';

const path = require('path');

const { parseOptions } = require('..');
const { controlOptions } = require('../lib/options/control');
const { appDir, removeAll } = require('./support/app_dir');

let baseDir;
beforeAll(() => { baseDir = appDir(); });
afterAll(removeAll);

const parse = options => parseOptions({ baseDir, workers: 1, ...options });

test('the control socket is below baseDir unless a path or false is given', async () => {
  const pathOf = async options => controlOptions(await parse(options)).controlPath;
  expect(await pathOf({})).toBe(path.join(baseDir, 'run', 'clutch.sock'));
  expect(await pathOf({ control: 'c.sock' })).toBe(path.join(baseDir, 'c.sock'));
  expect(await pathOf({ control: '/tmp/c.sock' })).toBe('/tmp/c.sock');
  expect(await pathOf({ control: false })).toBeUndefined();
  expect(controlOptions(await parse({})).controlIsDefault).toBe(true);
  expect(controlOptions(await parse({ control: 'c.sock' })).controlIsDefault).toBe(false);
});

test('the admin port is there where it is asked for, for this machine alone unless a host is given', async () => {
  const adminOf = async admin => controlOptions(await parse({ admin })).admin;
  expect(await adminOf(undefined)).toBeUndefined();
  expect(await adminOf(false)).toBeUndefined();
  expect(await adminOf({ port: 9000 })).toEqual({ port: 9000, host: '127.0.0.1', hosts: [] });
  expect(await adminOf({ port: 0, host: 'localhost' })).toEqual({ port: 0, host: '127.0.0.1', hosts: [] });
  expect(await adminOf({ port: 1, host: '::', hosts: ['a.b-c'] })).toEqual({ port: 1, host: '::', hosts: ['a.b-c'] });
});

test.each([
  [{ control: true }, 'options.control must be the path of a socket, or false, got true'],
  [{ control: '' }, "options.control must be the path of a socket, or false, got ''"],
  [{ control: 'a\0b' }, 'options.control must be the path of a socket, or false, got '],
  [{ admin: true }, 'options.admin must be false or an object with port, host, hosts, got true'],
  [{ admin: { port: 1, path: 'x' } }, 'options.admin must be false or an object with port, host, hosts, got '],
  [{ admin: { port: 7001 }, port: 7001 }, 'options.admin.port must be another port than options.port, got 7001'],
  [{ admin: { port: 7002 }, debugPort: 7002 }, 'options.admin.port must be another port than options.debugPort, got 7002'],
  [{ admin: {} }, 'options.admin.port must be a TCP port from 1 to 65535, or 0 for any that is free, got undefined'],
  [{ admin: { port: '9000' } }, 'options.admin.port must be a TCP port'],
  [{ admin: { port: 65536 } }, 'options.admin.port must be a TCP port'],
  [{ admin: { port: 1, host: 'example.com' } }, "options.admin.host must be an IP address, or 'localhost', got 'example.com'"],
  [{ admin: { port: 1, hosts: 'a' } }, 'options.admin.hosts must be an array of host names without ports'],
  [{ admin: { port: 1, hosts: ['a:1'] } }, 'options.admin.hosts must be an array of host names without ports'],
])('%p is refused', async (options, message) => {
  await expect(parse(options)).rejects.toMatchObject({ code: 'ERR_CLUTCH_OPTION', message: expect.stringContaining(message) });
});
