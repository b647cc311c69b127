'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');

const { masterPlan, ownCommand, ownExecPath, takeInheritance } = require('../lib/master/succession');

describe('the command of a new master', () => {
  let folder;
  const proc = more => ({ execPath: path.join(folder, 'v1', 'node'), argv0: 'node', env: {}, cwd: () => folder, ...more });

  beforeEach(() => {
    folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'succession-')));
    for (const version of ['v1', 'v2']) {
      fs.mkdirSync(path.join(folder, version));
      fs.writeFileSync(path.join(folder, version, 'node'), '', { mode: 0o755 });
    }
    fs.mkdirSync(path.join(folder, 'bin'));
    fs.symlinkSync('../v1/node', path.join(folder, 'bin', 'node'));
  });

  afterEach(() => fs.rmSync(folder, { recursive: true }));

  it('names the link by which Node was called, found in PATH or by its way', () => {
    const link = path.join(folder, 'bin', 'node');
    expect(ownExecPath(proc({ env: { PATH: `/none:${path.dirname(link)}` } }))).toBe(link);
    expect(ownExecPath(proc({ argv0: './bin/node' }))).toBe(link);
    expect(ownExecPath(proc({ argv0: link }))).toBe(link);
  });

  it('names the binary itself where the name says something else', () => {
    const { execPath } = proc();
    expect(ownExecPath(proc({ argv0: 'my server' }))).toBe(execPath);
    expect(ownExecPath(proc({ argv0: path.join(folder, 'v2', 'node') }))).toBe(execPath);
    expect(ownExecPath(proc({ env: { PATH: 'bin:/none' } }))).toBe(execPath);
    expect(ownExecPath(proc())).toBe(execPath);
  });

  it('has all arguments, those of Node first', () => {
    const given = proc({ execArgv: ['--no-warnings'], argv: ['/x/node', '/srv/start.js', '{}'] });
    expect(ownCommand(given)).toEqual({ ownExecPath: given.execPath, ownArgs: ['--no-warnings', '/srv/start.js', '{}'] });
  });
});

describe('the inheritance of a new master', () => {
  it('is named by a variable that nobody else sees', () => {
    const env = { EGG_CLUTCH_UPGRADE: '1:3', A: 'b' };
    expect(takeInheritance(env)).toBe(3);
    expect(env).toEqual({ A: 'b' });
    expect(takeInheritance(env)).toBe(undefined);
  });

  it('cannot be that of another version', () => {
    expect(() => takeInheritance({ EGG_CLUTCH_UPGRADE: '2:3' })).toThrow(expect.objectContaining({ code: 'ERR_CLUTCH_BOOT' }));
    expect(() => takeInheritance({ EGG_CLUTCH_UPGRADE: 'x' })).toThrow(expect.objectContaining({ code: 'ERR_CLUTCH_BOOT' }));
  });
});

describe('the plan of an upgrade', () => {
  it('is empty where all is as it was', () => {
    expect(masterPlan()).toEqual({});
    expect(masterPlan({})).toEqual({});
  });

  it('takes what is given', () => {
    expect(masterPlan({ execPath: '/usr/bin/node', args: ['a.js', '1'], env: { A: 'b', C: undefined, D: 1 }, timeout: '2s' }))
      .toEqual({ execPath: '/usr/bin/node', args: ['a.js', '1'], env: ['A=b', 'D=1'], timeoutMs: 2000 });
  });

  it.each([
    [null, /the argument of upgrade/], [{ execPath: 1 }, /execPath must be a string/], [{ args: 'a' }, /args must be an array/],
    [{ args: ['a', 1] }, /args\[1\] must be a string/], [{ args: ['a\0'] }, /args\[0\] must be text without NUL/], [{ env: [] }, /env must be an object/],
    [{ env: { A: 'a\0' } }, /env\.A must be text without NUL/], [{ timeout: 0 }, /timeout must be/], [{ timeout: 'soon' }, /timeout must be/],
  ])('refuses %j by name', (options, words) => {
    expect(() => masterPlan(options)).toThrow(expect.objectContaining({ code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(words) }));
  });
});
