'use strict';
// What the command does where its output or its errors cannot be written.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { SCRIPT } = require('../helpers/command');

async function run(args, stdio, look) {
  const child = spawn(process.execPath, [SCRIPT, ...args], { cwd: os.tmpdir(), stdio });
  let stderr = '';
  look?.(child);
  child.stderr?.setEncoding('utf8').on('data', text => { stderr += text; });
  const [code] = await once(child, 'close');
  return { code, stderr };
}

describe('egg-clutch', () => {
  it('says in one line that the disk is full under its output, and has failed', async () => {
    const full = fs.openSync('/dev/full', 'w');
    try {
      const { code, stderr } = await run(['help'], ['ignore', full, 'pipe']);
      assert.equal(code, 1);
      assert.match(stderr, /^egg-clutch: the output cannot be written: ENOSPC.*\n$/);
    } finally {
      fs.closeSync(full);
    }
  });

  it('has done what it was asked to when nobody reads its output to the end', async () => {
    assert.equal((await run(['help'], ['ignore', 'pipe', 'pipe'], ({ stdout }) => stdout.destroy())).code, 0);
  });

  it('keeps its exit code when nobody reads its errors', async () => {
    const closeErrors = ({ stderr }) => stderr.destroy();
    assert.equal((await run(['frobnicate'], ['ignore', 'ignore', 'pipe'], closeErrors)).code, 2);
    assert.equal((await run(['status'], ['ignore', 'ignore', 'pipe'], closeErrors)).code, 3);
  });
});
