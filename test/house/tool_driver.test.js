'use strict';
// The driver that the tests of command-line tools rely on.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { runFolder } = require('../helpers/run_folder');
const { runTool } = require('../helpers/tool_process');

const TOOLS = path.join(__dirname, '..', 'fixtures', 'tools');
const TOOL = path.join(TOOLS, 'starts_a_daemon.js');
const INTERRUPTED = path.join(TOOLS, 'runs_a_child.js');

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

  it('shows its tools the processes of this run only, where they call ps', async () => {
    const tool = runTool('-e', ["require('child_process').spawnSync('ps', ['-wweo', 'pid,args'], { stdio: 'inherit' });"]);
    await tool.exit();
    const listed = tool.stdout.trim().split('\n').map(line => Number(line.trim().split(' ')[0]));
    assert.ok(listed.includes(tool.pid), tool.describe());
    assert.ok(!listed.includes(process.pid), tool.describe());
  });

  it('interrupts a tool and what it runs, as a terminal does at Ctrl-C', async () => {
    const tool = runTool(INTERRUPTED, [], { terminal: true });
    await tool.output('up\n');
    tool.interrupt();
    assert.deepEqual(await tool.exit(), { code: 5, signal: null });
    assert.equal(tool.stdout, 'up\nthe child was interrupted\n');
  });
});
