'use strict';
// egg-development: the agent watches the app's code, and asks the master to reload the apps.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { startCluster } = require('../helpers/cluster');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { assertInOrder } = require('../helpers/lines');
const { until } = require('../helpers/waiting');
const { egg3App, INSTALL_LIMIT_MS } = require('./egg3_tools');

describe('egg-development', () => {
  let cluster;
  let file;
  let original;

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    const { baseDir, entry } = await egg3App('egg3_tools');
    file = path.join(baseDir, 'app', 'text.js');
    original = fs.readFileSync(file);
    cluster = startCluster({ baseDir, workers: 2, env: 'local', port: await freePort() }, { entry });
    await cluster.ready();
  });
  after(async () => {
    await cluster.stop();
    fs.writeFileSync(file, original);
  });

  /** Saves the file with this code, and resolves once the page says `text`. */
  async function save(code, text) {
    fs.writeFileSync(file, `'use strict';\n\n${code}\n`);
    await until(async () => (await getJson(cluster.options.port, '/').catch(() => ({}))).text === text, `the page '${text}'`);
  }

  it('has the apps replaced when a file of the app changes, and the new ones run the new code', async () => {
    const [agent, apps] = [cluster.agentPid(), cluster.appPids()];
    assert.equal((await getJson(cluster.options.port, '/')).text, 'as it was');
    await save("module.exports = 'changed';", 'changed');
    for (const [index] of apps.entries()) await cluster.message('app-worker-died', { index });
    await until(() => cluster.appPids().length === 2 && !cluster.appPids().some(pid => apps.includes(pid)), 'two new apps');
    assert.equal(cluster.agentPid(), agent);
    assertInOrder(cluster.stdout, [`[agent:development] reload worker because ${file} change`]);
  });

  it('brings the app back when code that did not load is mended', async () => {
    fs.writeFileSync(file, 'const;');
    await cluster.output("SyntaxError: Unexpected token ';'");
    await save("module.exports = 'mended';", 'mended');
  });
});
