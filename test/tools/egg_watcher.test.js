'use strict';
// egg-watcher: the agent watches for all, and its followers in the apps hear of changes through the cluster's port.

const fs = require('node:fs');
const path = require('node:path');
const { startCluster } = require('../helpers/cluster');
const { freePort } = require('../helpers/free_port');
const { order } = require('../helpers/orders');
const { runFolder } = require('../helpers/run_folder');
const { until } = require('../helpers/waiting');
const { egg3App, INSTALL_LIMIT_MS } = require('./egg3_tools');

describe('egg-watcher', () => {
  let cluster;

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    const { baseDir, entry } = await egg3App('egg3_tools');
    cluster = startCluster({ baseDir, workers: 2, env: 'local', port: await freePort() }, { entry });
    await cluster.ready();
  });
  after(() => cluster.stop());

  function everybody() {
    return [cluster.agentPid(), ...cluster.appPids()];
  }

  async function assertHeard(file, pids) {
    // A wish to watch may still be on its way when the order is obeyed, so there is one change after the other.
    await until(() => {
      fs.appendFileSync(file, 'x');
      const heard = cluster.messages.filter(({ action, data }) => action === 'changed' && data.file === file).map(({ data }) => data.pid);
      return pids.every(pid => heard.includes(pid));
    }, `the change of ${file} in ${pids}`);
  }

  function fileNamed(name) {
    const file = path.join(runFolder(), name);
    fs.writeFileSync(file, '');
    return file;
  }

  it('tells the agent and every app of a change', async () => {
    const file = fileNamed('watched');
    for (const pid of everybody()) await order(cluster, pid, 'watch', file);
    await assertHeard(file, everybody());
  });

  it('goes on in the agent that took the place of a killed one', async () => {
    const file = fileNamed('watched-by-two-agents');
    const [killed, ...apps] = everybody();
    for (const pid of apps) await order(cluster, pid, 'watch', file);
    process.kill(killed, 'SIGKILL');
    await cluster.waitFor(() => cluster.messages.some(({ action, data }) => action === 'up' && data.pid === cluster.agentPid()
      && data.pid !== killed), { what: 'a new agent' });
    await assertHeard(file, apps);
  });
});
