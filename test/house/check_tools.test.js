'use strict';
// A missing tool is said in one clear line.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

const SCRIPT = path.join(__dirname, '..', '..', 'scripts', 'check_tools.js');

describe('scripts/check_tools.js', () => {
  let bin;

  beforeEach(() => {
    bin = fs.mkdtempSync(path.join(os.tmpdir(), 'egg-clutch-bin-'));
  });

  afterEach(() => fs.rmSync(bin, { recursive: true }));

  function tool(name, version) {
    fs.writeFileSync(path.join(bin, name), `#!/bin/sh\necho '${name} ${version}'\n`, { mode: 0o755 });
  }

  /** The script as a Node of the given version would run it, with nothing on the PATH but the tools of this test. */
  function check(goal, nodeVersion = '22.20.0') {
    const pretend = `
      Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${nodeVersion}' } });
      process.argv[2] = '${goal}';
      require(${JSON.stringify(SCRIPT)});`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', pretend, '-'], { env: { PATH: bin }, encoding: 'utf8' });
    assert.equal(stdout, '');
    return { status, stderr };
  }

  function assertSays(answer, pattern) {
    assert.match(answer.stderr, pattern);
    assert.equal(answer.stderr.split('\n').length, 2, `one line: ${answer.stderr}`);
    assert.equal(answer.status, 1);
  }

  it('names a Node that is too old to build', () => {
    assertSays(check('build', '18.20.8'), /^egg-clutch: Node\.js 20\.19\.0 or newer is needed to build and test, this is 18\.20\.8$/m);
  });

  it('names a missing cargo and where to get it', () => {
    assertSays(check('build'), /^egg-clutch: cargo is not on the PATH: install Rust \d+\.\d+ or newer with rustup \(https:\/\/rustup\.rs\)$/m);
  });

  it('names a rustc that is too old', () => {
    tool('cargo', '1.60.0');
    tool('rustc', '1.60.0');
    assertSays(check('test'), /^egg-clutch: rustc 1\.60\.0 is too old: install Rust/m);
  });

  it('names a missing C linker', () => {
    tool('cargo', '1.99.0');
    tool('rustc', '1.99.0');
    assertSays(check('build'), /^egg-clutch: a C linker \(cc\) is not on the PATH: install gcc and libc6-dev/m);
  });

  it('names a tool that only the fast lane needs', () => {
    for (const name of ['cargo', 'rustc', 'cc']) tool(name, '1.99.0');
    assert.deepEqual(check('build'), { status: 0, stderr: '' });
    assertSays(check('ready'), /^egg-clutch: git is not on the PATH/m);
  });
});
