'use strict';
// A framework on egg 3 that wraps startCluster, and that the app names in its package.json.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { startCluster } = require('../helpers/cluster');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { assertInOrder } = require('../helpers/lines');
const { egg3App, INSTALL_LIMIT_MS } = require('./egg3_tools');

describe('a framework on egg 3', () => {
  let cluster;

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    const { baseDir } = await egg3App('egg3_on_framework');
    const framework = path.join(baseDir, 'node_modules', 'frittata');
    fs.cpSync(path.join(__dirname, '..', 'fixtures', 'frameworks', 'on_egg3'), framework, { recursive: true });
    cluster = startCluster({ baseDir, workers: 2, port: await freePort() }, { entry: framework });
    await cluster.ready();
  });
  after(() => cluster.stop());

  it('is found by the name in package.json, and starts under it', () => {
    assertInOrder(cluster.stdout, ['[master] frittata version 3.2.1\n', `[master] frittata started on http://127.0.0.1:${cluster.options.port} `]);
    assert.equal(cluster.stderr, '');
  });

  it('has its config, its extensions, the environment that it sets and the option that it adds, in the agent and in an app', async () => {
    const tasty = { env: 'kitchen', herb: 'chives', eggs: 3 };
    const { data: ofAgent } = await cluster.message('taste');
    assert.deepEqual(ofAgent, { pid: cluster.agentPid(), ...tasty });
    const { pid, ...ofApp } = await getJson(cluster.options.port, '/');
    assert.ok(cluster.appPids().includes(pid));
    assert.deepEqual(ofApp, tasty);
  });
});
