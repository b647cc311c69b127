'use strict';
// `egg-scripts start` and `stop`, which run egg 3 in production.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { assertInOrder } = require('../helpers/lines');
const { egg3App, runCommand, INSTALL_LIMIT_MS } = require('./egg3_tools');

const OK = { code: 0, signal: null };
const FAILED = { code: 1, signal: null };
const LOGS = ['master-stdout.log', 'master-stderr.log'];

describe('egg-scripts', () => {
  let baseDir;

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    ({ baseDir } = await egg3App());
  });

  async function start(flags, env) {
    const port = await freePort();
    const tool = runCommand(baseDir, 'egg-scripts', ['start', `--port=${port}`, '--workers=2', ...flags], { env });
    return { tool, port };
  }

  async function startDaemon(flags, env) {
    const { tool, port } = await start(['--daemon', ...flags], env);
    assert.deepEqual(await tool.exit(), OK);
    assertInOrder(tool.stdout, [`[egg-scripts] egg started on http://127.0.0.1:${port}\n`]);
    return { tool, port, logs: () => LOGS.map(name => fs.readFileSync(path.join(tool.home, 'logs', name), 'utf8')) };
  }

  async function stop(...flags) {
    const tool = runCommand(baseDir, 'egg-scripts', ['stop', ...flags]);
    assert.deepEqual(await tool.exit(), OK);
    return tool.stdout;
  }

  it('starts a daemon, which serves and writes no errors, and stops it by its title', async () => {
    const { tool, port, logs } = await startDaemon(['--title=clutch-titled']);
    const [master] = tool.find(/start-cluster .*"title":"clutch-titled"/);
    const workers = tool.find(/egg-cluster\/lib\/app_worker\.js .*"title":"clutch-titled"/);
    assert.deepEqual(workers.map(({ ppid }) => ppid), [master.pid, master.pid]);
    const { pid } = await getJson(port, '/');
    assert.ok(workers.some(worker => worker.pid === pid));

    const stopped = await stop('--title=clutch-titled');
    assert.ok(stopped.includes(`got master pid ["${master.pid}"]`), stopped);
    assert.ok(!stopped.includes('not killed by master'), stopped);
    await tool.assertNothingLeft();
    const [stdout, stderr] = logs();
    assertInOrder(stdout, ['[master] master is killed by signal SIGTERM, closing\n', '[master] exit with code:0\n']);
    assert.equal(stderr, '');
  });

  it('stops what it finds where no title is given, and a start in the foreground ends with it', async () => {
    const { tool, port } = await start([]);
    await tool.output(`[master] egg started on http://127.0.0.1:${port}`);
    assert.equal(tool.find(/start-cluster .*"title":"egg-server-egg3-fixture"/).length, 1);
    await stop('--timeout=1s');
    assert.deepEqual(await tool.exit(), OK);
  });

  it('finds by the path of its script what a worker that stands still has kept alive, and ends it', async () => {
    const { tool } = await startDaemon(['--title=clutch-stuck'], { EGG_APP_CLOSE_TIMEOUT: '60000', EGG_AGENT_CLOSE_TIMEOUT: '1000' });
    const [stuck] = tool.find(/app_worker\.js/);
    process.kill(stuck.pid, 'SIGSTOP');
    const stopped = await stop('--title=clutch-stuck', '--timeout=1s');
    const [, pids] = /got worker\/agent pids (\[.*\]) that is not killed by master/.exec(stopped);
    assert.ok(JSON.parse(pids).includes(String(stuck.pid)), pids);
    await tool.assertNothingLeft();
  });

  it('passes on to the terminal what the cluster says in the foreground, and ends with its code at SIGTERM', async () => {
    const { tool, port } = await start(['--title=clutch-foreground']);
    await tool.output(`[master] egg started on http://127.0.0.1:${port}`);
    await getJson(port, '/');
    assert.deepEqual(await tool.stop(), OK);
    assertInOrder(tool.stdout, ['[master] master is killed by signal SIGTERM, closing\n', '[master] exit with code:0\n']);
    assert.equal(tool.stderr, '');
  });

  it('reports an app that does not start, as a daemon and in the foreground', async () => {
    const env = { PROBE_FAULT: JSON.stringify({ role: 'app', how: 'throw' }) };
    const daemon = (await start(['--daemon', '--title=clutch-failing'], env)).tool;
    assert.deepEqual(await daemon.exit(), FAILED);
    assertInOrder(daemon.stderr, ['Got error when startup', 'the app throws while it is loaded', 'Start got error, see ']);
    await daemon.assertNothingLeft();

    const foreground = (await start(['--title=clutch-failing'], env)).tool;
    assert.deepEqual(await foreground.exit(), FAILED);
    assertInOrder(foreground.stderr, ['the app throws while it is loaded', 'start fail, exiting with code:1\n']);
  });
});
