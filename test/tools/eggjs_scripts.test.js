'use strict';
// `eggctl start` and `stop` of @eggjs/scripts, which runs egg 4 in production.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { runFolder } = require('../helpers/run_folder');
const { runTool } = require('../helpers/tool_process');
const { describeOnEgg4, egg4App, scriptOf, INSTALL_LIMIT_MS } = require('./egg4_tools');

const OK = { code: 0, signal: null };

describeOnEgg4('@eggjs/scripts', () => {
  let baseDir;
  let script;

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    ({ baseDir } = await egg4App());
    script = scriptOf(baseDir, '@eggjs/scripts', 'bin/run.js');
  });

  async function start(title, env, ...flags) {
    const port = await freePort();
    const files = { stdout: path.join(runFolder(), `${title}-stdout.log`), stderr: path.join(runFolder(), `${title}-stderr.log`) };
    const args = [`--title=${title}`, `--port=${port}`, '--workers=2', `--stdout=${files.stdout}`, `--stderr=${files.stderr}`];
    const tool = runTool(script, ['start', baseDir, ...args, ...flags], { cwd: baseDir, env });
    return { tool, port, read: stream => fs.readFileSync(files[stream], 'utf8') };
  }

  async function startDaemon(title, env) {
    const started = await start(title, env, '--daemon');
    assert.deepEqual(await started.tool.toolExit(), OK);
    assert.ok(started.tool.stdout.includes(`egg started on http://127.0.0.1:${started.port}\n`), started.tool.describe());
    return started;
  }

  async function stop(title, timeout) {
    const tool = runTool(script, ['stop', `--title=${title}`, `--timeout=${timeout}`], { cwd: baseDir });
    assert.deepEqual(await tool.exit(), OK);
    return tool;
  }

  it('starts a daemon that serves and writes no error, and stops it with all of its workers', async () => {
    const { tool, port, read } = await startDaemon('clutch-orderly', {});
    const [master] = tool.find(/start-cluster/);
    const { pid } = await getJson(port, '/');
    assert.deepEqual(tool.find(/app_worker/).map(({ ppid }) => ppid), [master.pid, master.pid]);
    assert.ok(tool.find(/app_worker/).some(app => app.pid === pid));

    const { stdout } = await stop('clutch-orderly', 2000);
    assert.ok(stdout.includes(`got master pid [${master.pid}]`), stdout);
    assert.doesNotMatch(stdout, /not killed by master/);
    await tool.assertNothingLeft();
    assert.match(read('stdout'), /\[master\] exit with code:0\n/);
    assert.equal(read('stderr'), '');
  });

  it('finds workers that hang at their close by the path of their scripts, and ends them', async () => {
    const { tool } = await startDaemon('clutch-hanging', { TOOLS_APP_HANGS: 'app', EGG_MASTER_CLOSE_TIMEOUT: '25000' });
    const workers = tool.find(/(app|agent)_worker/).map(({ pid }) => pid);
    const { stdout } = await stop('clutch-hanging', 500);
    const [, pids] = /got worker\/agent pids (\[.*\]) that is not killed by master/.exec(stdout);
    assert.deepEqual(JSON.parse(pids).sort(), workers.sort());
    await tool.assertNothingLeft();
  });

  it('runs the cluster in the foreground until it gets a signal itself', async () => {
    const { tool, port } = await start('clutch-foreground', {});
    await tool.output(`[master] egg started on http://127.0.0.1:${port}`);
    await getJson(port, '/');
    assert.deepEqual(await tool.stop('SIGTERM'), OK);
    assert.match(tool.stdout, /\[master\] master is killed by signal SIGTERM, closing/);
    assert.match(tool.stdout, /\[master\] exit with code:0\n/);
    assert.equal(tool.stderr, '');
  });
});
