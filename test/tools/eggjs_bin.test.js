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
  async function eggBin(fixture, args, env) {
    const { baseDir } = await egg4App(fixture);
    return runTool(scriptOf(baseDir, '@eggjs/bin', 'bin/run.js'), args, { cwd: baseDir, env });
  }

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    await egg4App();
  });

  async function develops(fixture, text) {
    const port = await freePort();
    const tool = await eggBin(fixture, ['dev', `--port=${port}`, '--workers=2']);
    await tool.output(`[master] egg started on http://127.0.0.1:${port} `);
    assert.equal((await getJson(port, '/')).text, text);
    assert.deepEqual(await tool.stop('SIGINT'), { code: 0, signal: null });
    assert.equal(tool.stderr, '');
    assert.match(tool.stdout, /\[master\] exit with code:0\n/);
    return tool;
  }

  it('dev runs an app of ES modules until SIGINT', () => develops('egg4_tools', 'as it was'));

  it('dev runs an app in TypeScript', async () => {
    const tool = await develops('egg4_typescript', 'compiled, hello from TypeScript');
    assert.equal(tool.stdout.split('[agent.ts] hello of ').length, 3);
  });

  it("test runs the app's own tests, which start clusters by @eggjs/mock", async function () {
    this.timeout(TEST_RUN_LIMIT_MS);
    const tool = await eggBin('egg4_tools', ['test', '--no-mochawesome'], { TOOLS_APP_PORT: String(await freePort()) });
    assert.deepEqual(await tool.exit({ timeoutMs: TEST_RUN_LIMIT_MS - 5000 }), { code: 0, signal: null }, tool.describe());
    assert.match(tool.stdout, /6 passing/);
    await tool.assertNothingLeft();
  });
});
