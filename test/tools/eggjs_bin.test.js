'use strict';
// `egg-bin` of @eggjs/bin, with which an egg 4 app is developed and tested.

const assert = require('node:assert/strict');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { runTool } = require('../helpers/tool_process');
const { describeOnEgg4, egg4App, scriptOf, INSTALL_LIMIT_MS } = require('./egg4_tools');

// Several clusters, one after the other, in processes that go through the TypeScript loader.
const TEST_RUN_LIMIT_MS = 120000;

describeOnEgg4('@eggjs/bin', () => {
  async function eggBin(fixture, args, settings) {
    const { baseDir } = await egg4App(fixture);
    return runTool(scriptOf(baseDir, '@eggjs/bin', 'bin/run.js'), args, { cwd: baseDir, ...settings });
  }

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    await egg4App();
  });

  /** `egg-bin dev` with the app serving; resolves to the tool. */
  async function develop(fixture, text, flags, settings) {
    const port = await freePort();
    const tool = await eggBin(fixture, ['dev', `--port=${port}`, '--workers=2', ...flags], settings);
    await tool.output(`[master] egg started on http://127.0.0.1:${port} `);
    assert.equal((await getJson(port, '/')).text, text);
    assert.equal(tool.stderr, '');
    return tool;
  }

  it('dev runs an app of ES modules until Ctrl-C', async () => {
    const tool = await develop('egg4_tools', 'as it was', [], { terminal: true });
    tool.interrupt();
    assert.deepEqual(await tool.exit(), { code: 0, signal: null });
    await tool.assertNothingLeft();
  });

  it('dev runs an app in TypeScript, sticky, until SIGTERM', async () => {
    const tool = await develop('egg4_typescript', 'compiled, hello from TypeScript', ['--sticky']);
    assert.match(tool.stdout, /egg started on http:.* with STICKY MODE!\n/);
    assert.deepEqual(await tool.stop('SIGTERM'), { code: 0, signal: null });
    assert.equal(tool.stderr, '');
    assert.match(tool.stdout, /\[master\] exit with code:0\n/);
    assert.equal(tool.stdout.split('[agent.ts] hello of ').length, 3);
  });

  it("test runs the app's own tests, which start clusters by @eggjs/mock", async function () {
    this.timeout(TEST_RUN_LIMIT_MS);
    const tool = await eggBin('egg4_tools', ['test', '--no-mochawesome'], { env: { TOOLS_APP_PORT: String(await freePort()) } });
    assert.deepEqual(await tool.exit({ timeoutMs: TEST_RUN_LIMIT_MS - 5000 }), { code: 0, signal: null }, tool.describe());
    assert.match(tool.stdout, /6 passing/);
    await tool.assertNothingLeft();
  });
});
