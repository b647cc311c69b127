'use strict';
// A framework on egg 4 that wraps startCluster.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { startCluster } = require('../helpers/cluster');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { order } = require('../helpers/orders');
const { describeOnEgg4, egg4App, INSTALL_LIMIT_MS } = require('./egg4_tools');

describeOnEgg4('a framework on egg 4', () => {
  let cluster;

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    const { baseDir } = await egg4App();
    const framework = path.join(baseDir, 'node_modules', 'omelette');
    fs.cpSync(path.join(__dirname, '..', 'fixtures', 'frameworks', 'on_egg4'), framework, { recursive: true });
    cluster = startCluster({ baseDir, framework: 'omelette', workers: 2, port: await freePort() }, { entry: path.join(framework, 'index.js') });
    await cluster.ready();
  });
  after(() => cluster.stop());

  it('starts under its own name, and serves', async () => {
    assert.match(cluster.stdout, /\[master\] omelette version 4\.5\.6\n/);
    assert.match(cluster.stdout, /\[master\] omelette started on http:/);
    assert.equal((await getJson(cluster.options.port)).text, 'as it was');
    assert.equal(cluster.stderr, '');
  });

  it('has its config, its extensions, the environment that it sets and the option that it adds in the agent and all apps', async () => {
    for (const pid of [cluster.agentPid(), ...cluster.appPids()]) {
      assert.equal(await order(cluster, pid, 'taste'), 'chives, hot pan, 3 eggs');
    }
  });
});
