'use strict';
// pm2 keeps a script alive that calls startCluster.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { APPS, master } = require('../helpers/folder_cluster');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { npmFolder } = require('../helpers/npm_folder');
const processes = require('../helpers/processes');
const { runFolder } = require('../helpers/run_folder');
const { runTool } = require('../helpers/tool_process');
const { until } = require('../helpers/waiting');

const INSTALL_LIMIT_MS = 300000;
const MAJOR = '^7';

describe('pm2', () => {
  let script;
  let home;
  let port;
  let starter;

  /** Runs `pm2 <args>` to its end; resolves to the tool. */
  async function pm2(...args) {
    const tool = runTool(script, args, { cwd: home, env: { PM2_HOME: home, PM2_DISABLE_VERSION_CHECK: 'true' } });
    assert.deepEqual(await tool.toolExit(), { code: 0, signal: null }, tool.describe());
    return tool;
  }

  before(async function () {
    this.timeout(INSTALL_LIMIT_MS);
    const manifest = JSON.stringify({ private: true, dependencies: { pm2: MAJOR } });
    // What is optional is for its own statistics of the machine.
    const folder = await npmFolder(`pm2${MAJOR}`, () => manifest, ['--omit=optional']);
    script = path.join(folder, 'node_modules', 'pm2', 'bin', 'pm2');
    home = path.join(runFolder(), 'pm2');
    fs.mkdirSync(home);
    port = await freePort();
    const options = JSON.stringify({ baseDir: path.join(APPS, 'plain'), workers: 2, env: 'prod', port });
    starter = await pm2('start', master('says_ready'), '--name=eggs', '--wait-ready', '--listen-timeout=60000', '--kill-timeout=30000', '--', options);
  });

  // Its daemon ends last.
  after(async () => {
    await pm2('kill');
    await starter?.stop();
  });

  /** What pm2 knows of the cluster: { pid, status, restarts }, and who the master's workers are. */
  async function known() {
    const { stdout } = await pm2('jlist');
    const [eggs] = JSON.parse(stdout.slice(stdout.indexOf('[{')));
    const { pid, pm2_env: { status, restart_time: restarts } } = eggs;
    return { pid, status, restarts, workers: pid ? processes.workersOf(pid) : [] };
  }

  function log(stream) {
    return fs.readFileSync(path.join(home, 'logs', `eggs-${stream}.log`), 'utf8');
  }

  /** Asserts that the cluster is whole and answers; resolves to what is known. */
  async function assertServes() {
    const cluster = await known();
    assert.equal(cluster.status, 'online');
    assert.deepEqual(cluster.workers.map(({ role }) => role).sort(), ['agent', 'app', 'app']);
    const { pid } = await getJson(port, '/');
    assert.ok(cluster.workers.some(worker => worker.pid === pid));
    return { ...cluster, all: [processes.look(cluster.pid), ...cluster.workers] };
  }

  async function assertGone(all) {
    assert.deepEqual(await processes.waitUntilGone(() => all.filter(processes.isAlive)), []);
  }

  it('tells when the cluster is ready, and has its output in its log', async () => {
    await assertServes();
    await until(() => log('out').includes(`[master] egg-clutch started on http://127.0.0.1:${port} `), 'the started line');
    assert.equal(log('error'), '');
  });

  // In fork mode pm2 reloads by a restart.
  for (const verb of ['restart', 'reload']) {
    it(`${verb} ends every process of the cluster, and starts it again`, async () => {
      const { all } = await assertServes();
      await pm2(verb, 'eggs');
      await assertGone(all);
      await assertServes();
    });
  }

  it('starts the cluster again when its master is killed', async () => {
    const { all, pid, restarts } = await assertServes();
    process.kill(pid, 'SIGKILL');
    await assertGone(all);
    await until(async () => (await known()).restarts === restarts + 1 && (await known()).workers.length === 3, 'the next cluster');
    await until(() => getJson(port, '/').catch(() => null), 'an answer');
    await assertServes();
  });

  it('stop ends every process of the cluster, whose master says so', async () => {
    const { all } = await assertServes();
    await pm2('stop', 'eggs');
    await assertGone(all);
    assert.equal((await known()).status, 'stopped');
    // pm2 writes what it reads.
    await until(() => /\[master\] exit with code:0\n$/.test(log('out')), 'the last line of the master');
    assert.match(log('out'), /\[master\] master is killed by signal SIGINT, closing\n/);
  });

  it('delete ends every process of a cluster that is started again', async () => {
    await pm2('start', 'eggs');
    const { all } = await assertServes();
    await pm2('delete', 'eggs');
    await assertGone(all);
    const { stdout } = await pm2('jlist');
    assert.equal(stdout.trim(), '[]');
  });
});
