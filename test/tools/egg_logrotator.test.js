'use strict';
// egg-logrotator: one app renames a log file that is too large, and by the messenger has every process open a new one.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { startCluster } = require('../helpers/cluster');
const { freePort } = require('../helpers/free_port');
const { order } = require('../helpers/orders');
const { told } = require('../helpers/probe');
const { runFolder } = require('../helpers/run_folder');
const { egg3App, INSTALL_LIMIT_MS } = require('./egg3_tools');

const HOME = path.join(runFolder(), 'home-of-rotated-logs');
const LOG = path.join(HOME, 'logs', 'egg3-tools-fixture', 'egg3-tools-fixture-web.log');

describe('egg-logrotator', () => {
  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    await egg3App('egg3_tools');
  });

  it('has every process log into the new file after a rotation', async () => {
    const { baseDir, entry } = await egg3App('egg3_tools');
    const cluster = startCluster({ baseDir, workers: 2, env: 'prod', port: await freePort() }, { entry, env: { EGG_HOME: HOME } });
    await cluster.ready();
    const apps = cluster.appPids();
    for (const pid of apps) await order(cluster, pid, 'log', `before, by ${pid}`);
    await order(cluster, apps[0], 'log', 'x'.repeat(100_000));
    for (const pid of [cluster.agentPid(), ...apps]) await told(cluster, 'log-reload', { pid });
    for (const pid of apps) await order(cluster, pid, 'log', `after, by ${pid}`);

    // The streams of a process that ends are written out.
    await cluster.stop();
    const [old, renewed] = [`${LOG}.1`, LOG].map(file => fs.readFileSync(file, 'utf8'));
    for (const pid of apps) {
      assert.ok(old.includes(`before, by ${pid}\n`));
      assert.ok(renewed.includes(`after, by ${pid}\n`));
    }
    assert.doesNotMatch(old, /after, by/);
    assert.ok(!renewed.includes('x'.repeat(1000)));
  });
});
