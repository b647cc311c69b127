'use strict';
// The plugins of egg 4 that lean on the cluster, in one app under development.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { startCluster } = require('../helpers/cluster');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { order } = require('../helpers/orders');
const { told } = require('../helpers/probe');
const { until } = require('../helpers/waiting');
const { describeOnEgg4, egg4App, INSTALL_LIMIT_MS } = require('./egg4_tools');

describeOnEgg4('an egg 4 app under development', () => {
  let cluster;
  let baseDir;
  let apps;
  let text;
  let asItWas;

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    const app = await egg4App();
    ({ baseDir } = app);
    text = path.join(baseDir, 'app', 'text.js');
    asItWas = fs.readFileSync(text, 'utf8');
    cluster = startCluster({ baseDir, workers: 2, env: 'local', port: await freePort() }, { entry: app.entry });
    await cluster.ready();
    apps = cluster.appPids();
  });
  after(async () => {
    await cluster.stop();
    // The other tests of this folder use the same app.
    fs.writeFileSync(text, asItWas);
  });

  function runsOf(name) {
    return cluster.messages.filter(message => message?.action === 'task' && message.data.name === name).map(({ data }) => data);
  }

  /** Resolves to the first `count` runs of a scheduled task: [{ pid, args }]. */
  function runs(name, count) {
    return cluster.waitFor(() => runsOf(name).length >= count && runsOf(name), { what: `${count} runs of ${name}` });
  }

  describe('@eggjs/schedule', () => {
    it('has one app run a task of one', async () => {
      const [{ pid }] = await runs('one_app', 1);
      assert.ok(apps.includes(pid));
    });

    it('has every app run a task of all', async () => {
      const found = await runs('all_apps', 2);
      assert.deepEqual(found.map(({ pid }) => pid).sort(), [...apps].sort());
    });

    it("has one app run a task by a strategy of the app's own, with its arguments", async () => {
      const [{ pid, args }] = await runs('own_strategy', 1);
      assert.ok(apps.includes(pid));
      assert.deepEqual(args, ['from the strategy']);
    });

    it('has run no task of one a second time', () => {
      assert.deepEqual(['one_app', 'own_strategy'].map(name => runsOf(name).length), [1, 1]);
    });
  });

  describe('@eggjs/watcher', () => {
    it('tells the agent and every app of a change to a file', async () => {
      const file = path.join(baseDir, 'watched');
      fs.writeFileSync(file, '');
      const everybody = [cluster.agentPid(), ...apps];
      for (const pid of everybody) await order(cluster, pid, 'watch', file);
      // An app's wish to watch is on its way to the agent when the order is obeyed.
      await until(() => {
        fs.appendFileSync(file, 'x');
        const heard = cluster.messages.filter(({ action, data }) => action === 'changed' && data.file === file).map(({ data }) => data.pid);
        return everybody.every(pid => heard.includes(pid));
      }, 'the news of the change in all processes');
    });
  });

  describe('@eggjs/logrotator', () => {
    it('rotates a file that is too large, and has every process log into the new one', async () => {
      const log = path.join(baseDir, 'logs', 'egg4-tools-fixture', 'egg4-tools-fixture-web.log');
      await order(cluster, apps[0], 'log', `before ${'x'.repeat(100_000)}`);
      for (const pid of [cluster.agentPid(), ...apps]) await told(cluster, 'log-reload', { pid });
      assert.match(fs.readFileSync(`${log}.1`, 'utf8'), /before x+\n/);
      for (const pid of apps) await order(cluster, pid, 'log', `after, by ${pid}`);
      await until(() => apps.every(pid => fs.readFileSync(log, 'utf8').includes(`after, by ${pid}`)), 'the lines in the new file');
      assert.doesNotMatch(fs.readFileSync(`${log}.1`, 'utf8'), /after, by/);
    });
  });

  describe('cluster-client', () => {
    async function assertHeard(topic, value) {
      for (const pid of apps) {
        await cluster.waitFor(() => cluster.messages.some(({ action, data }) =>
          action === 'heard' && data.pid === pid && data.topic === topic && data.value === value), { what: `${topic}: ${value} in ${pid}` });
      }
    }

    it('leads in the agent, and the apps follow', async () => {
      for (const pid of apps) assert.equal(await order(cluster, pid, 'leader'), cluster.agentPid());
    });

    it('brings what an app publishes to all apps', async () => {
      for (const pid of apps) await order(cluster, pid, 'subscribe', 'weather');
      await order(cluster, apps[0], 'publish', { topic: 'weather', value: 'rain' });
      await assertHeard('weather', 'rain');
    });

    it('follows the next agent at the same port when the first one is killed', async () => {
      for (const pid of apps) await order(cluster, pid, 'subscribe', 'tides');
      const killed = cluster.agentPid();
      const clusterPort = await order(cluster, killed, 'clusterPort');
      process.kill(killed, 'SIGKILL');
      const { pid: agent } = await cluster.waitFor(() => cluster.messages
        .map(({ action, data }) => action === 'up' && data.role === 'agent' && data.pid !== killed && data).find(Boolean), { what: 'a new agent' });
      assert.equal(await order(cluster, agent, 'clusterPort'), clusterPort);
      await order(cluster, agent, 'publish', { topic: 'tides', value: 'high' });
      await assertHeard('tides', 'high');
      for (const pid of apps) assert.equal(await order(cluster, pid, 'leader'), agent);
    });
  });

  describe('@eggjs/development', () => {
    it('has the apps replaced when a file of the app changes, and the new ones run the new code', async () => {
      assert.equal((await getJson(cluster.options.port)).text, 'as it was');
      fs.writeFileSync(text, "export const TEXT = 'changed';\n");
      for (const [index] of apps.entries()) await cluster.message('app-worker-died', { index });
      assert.deepEqual(cluster.appPids().filter(pid => apps.includes(pid)), []);
      // No connection is refused meanwhile; egg 4's own cluster layer refuses some.
      await until(async () => (await getJson(cluster.options.port)).text === 'changed', 'the new code');
    });
  });
});
