'use strict';
// `egg-bin test` and `egg-bin dev`, with which egg 3 apps are written, and egg-mock, with which they are tested.

const assert = require('node:assert/strict');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { egg3App, runCommand, INSTALL_LIMIT_MS } = require('./egg3_tools');

// One wait for a whole run of somebody else's tests.
const SPEC_LIMIT_MS = 100000;
const OK = { code: 0, signal: null };

describe('egg-bin', () => {
  let baseDir;
  let typescript;

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    ({ baseDir } = await egg3App('egg3_tools'));
    typescript = (await egg3App('egg3_typescript')).baseDir;
  });

  async function runSpec(name, env) {
    const tool = runCommand(baseDir, 'egg-bin', ['test', `test/${name}`], { env });
    const ended = await tool.exit({ timeoutMs: SPEC_LIMIT_MS });
    assert.deepEqual(ended, OK, tool.describe());
    return tool;
  }

  it('test: runs tests with egg-mock and no cluster', async function () {
    this.timeout(SPEC_LIMIT_MS + 10000);
    const { stdout } = await runSpec('page.spec.js');
    assert.match(stdout, /3 passing/);
  });

  it('test: runs tests with a cluster of egg-mock', async function () {
    this.timeout(SPEC_LIMIT_MS + 10000);
    const { stdout } = await runSpec('cluster.spec.js', { TOOLS_PORT: await freePort() });
    assert.match(stdout, /4 passing/);
    // By debug().
    assert.match(stdout, /\[master\] egg started on http/);
  });

  async function dev(flags, { app = baseDir, ...settings } = {}) {
    const port = await freePort();
    return { port, tool: runCommand(app, 'egg-bin', ['dev', `--port=${port}`, ...flags], settings) };
  }

  async function assertServes(tool, port) {
    await tool.output(`[master] egg started on http://127.0.0.1:${port}`);
    const { env, pid, text } = await getJson(port, '/');
    assert.equal(env, 'local');
    assert.ok(tool.find(/app_worker\.js/).some(app => app.pid === pid));
    return text;
  }

  it('dev: serves the app in env local by one worker, and ends all at SIGTERM', async () => {
    const { tool, port } = await dev([]);
    await assertServes(tool, port);
    assert.equal(tool.find(/app_worker\.js/).length, 1);
    assert.deepEqual(await tool.stop(), OK);
    assert.match(tool.stdout, /\[master\] master is killed by signal SIGTERM, closing/);
  });

  it('dev: serves by as many workers as asked for, and ends all at Ctrl-C', async () => {
    const { tool, port } = await dev(['--workers=2'], { terminal: true });
    await assertServes(tool, port);
    assert.equal(tool.find(/app_worker\.js/).length, 2);
    tool.interrupt();
    assert.deepEqual(await tool.exit(), OK);
    await tool.assertNothingLeft();
  });

  it('dev: ends with an error when the app does not start', async () => {
    const { tool } = await dev([], { env: { TOOLS_FAULT: 'throw' } });
    assert.deepEqual(await tool.exit(), { code: 1, signal: null });
    assert.match(tool.stderr, /the app throws while it is loaded/);
  });

  it('dev: runs an app in TypeScript', async () => {
    const { tool, port } = await dev([], { app: typescript });
    assert.equal(await assertServes(tool, port), 'hello TypeScript');
    await tool.output(/\[agent\.ts\] egg3-typescript-fixture is ready/);
    assert.deepEqual(await tool.stop(), OK);
  });
});
