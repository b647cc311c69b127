'use strict';
// The driver that the tests of command-line tools rely on.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { runFolder } = require('../helpers/run_folder');
const { runTool } = require('../helpers/tool_process');

const TOOL = path.join(__dirname, '..', 'fixtures', 'tools', 'starts_a_daemon.js');

describe('the driver of command-line tools', () => {
  it('runs a tool with its arguments, away from the home of the user, and finds the daemon that it leaves', async () => {
    const tool = runTool(TOOL, ['start', '--daemon']);
    assert.deepEqual(await tool.toolExit(), { code: 3, signal: null });
    await tool.exit();
    const { args, home, pid } = JSON.parse(tool.stdout);
    assert.deepEqual(args, ['start', '--daemon']);
    assert.ok(home.startsWith(runFolder()), home);
    const [daemon, ...others] = tool.find(/the daemon/);
    assert.deepEqual([daemon.pid, others], [pid, []]);
    assert.equal(fs.realpathSync(`/proc/${pid}/exe`), fs.realpathSync(process.execPath));
    await assert.rejects(tool.assertNothingLeft(0), new RegExp(`left over from ${tool.pid}:\n${pid} `));
  });
});
