'use strict';
// A new master in the place of the old one, under load: nothing is lost, whether it comes or not.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const processes = require('../helpers/processes');
const { Traffic } = require('../helpers/traffic');
const { freePort } = require('../helpers/free_port');
const { runFolder } = require('../helpers/run_folder');
const { getJson, request } = require('../helpers/http_client');
const { startSteerable, steer, attempt, event } = require('../helpers/steering');
const { master } = require('../helpers/folder_cluster');
const { underLoad } = require('../helpers/reload_soak');
const { until } = require('../helpers/waiting');

/** The pid of the master whose worker answers. */
async function masterAt(where) {
  return Number((await request({ path: '/master', ...where })).body);
}

/** The environment of the test's cluster, with more. */
function envOf(cluster, more) {
  const pairs = fs.readFileSync(`/proc/${cluster.pid}/environ`, 'utf8').split('\0').filter(Boolean);
  const own = pairs.map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  return { ...Object.fromEntries(own.filter(([name]) => !name.startsWith('NODE_CHANNEL_'))), ...more };
}

/** Who is master after so many upgrades; each says so. */
function heir(cluster, index = 0) {
  const find = () => [...cluster.stdout.matchAll(/upgrade: (\d+) is the master from now on/g)][index];
  return cluster.waitFor(find, { what: `upgrade #${index}` }).then(match => Number(match[1]));
}

/** The pid of a new master that boots. */
function booting(cluster) {
  return cluster.output(/upgrade: a new master boots, pid (\d+)/).then(match => Number(match[1]));
}

function isRunning(pid) {
  const found = processes.look(pid);
  return found !== null && found.state !== 'Z';
}

describe('an upgrade of the master', () => {
  it('loses no request of any kind, twice in a row, and the pid file and the sockets move with it', async function () {
    this.timeout(240000);
    const pidFile = path.join(runFolder(), 'upgrade.pid');
    const { clusters, ports: { port, securePort }, socketPath, end } = await underLoad({ pidFile });
    const [byPort, byPath] = clusters;
    const heirs = [];
    for (const cluster of clusters) {
      const { pid } = await steer(cluster, 'upgrade');
      assert.equal((await cluster.message('egg-upgraded')).data.pid, pid);
      assert.equal((await event(cluster, 'upgraded')).pid, pid);
      assert.deepEqual(await cluster.masterExit(), { code: 0, signal: null });
      heirs.push(pid);
    }
    assert.equal(fs.readFileSync(pidFile, 'utf8'), String(heirs[0]));
    assert.equal(await masterAt({ port }), heirs[0]);
    assert.equal(await masterAt({ port: securePort, https: true }), heirs[0]);
    assert.equal(await masterAt({ socketPath }), heirs[1]);
    const last = [];
    for (const [index, cluster] of clusters.entries()) {
      process.kill(heirs[index], 'SIGUSR2');
      last.push(await heir(cluster, 1));
      await until(() => !isRunning(heirs[index]), 'the end of the second master');
    }
    assert.equal(await masterAt({ port }), last[0]);
    assert.equal(await masterAt({ socketPath }), last[1]);
    const { answered, failures } = await end();
    assert.deepEqual(failures.slice(0, 20), []);
    for (const [kind, count] of Object.entries(answered)) assert.ok(count > 0, `no client that is ${kind} was answered`);
    for (const pid of last) process.kill(pid, 'SIGTERM');
    await Promise.all([byPort.exit(), byPath.exit()]);
    assert.equal(fs.existsSync(pidFile), false);
    assert.equal(fs.existsSync(socketPath), false);
  });

  it('that does not come about changes nothing, whatever goes wrong', async function () {
    this.timeout(240000);
    const pidFile = path.join(runFolder(), 'broken.pid');
    const { clusters: [cluster, other], ports: { port }, end } = await underLoad({ pidFile });
    const { pid } = cluster;
    const fails = async (options, code, words) => {
      const { error } = await attempt(cluster, 'upgrade', options);
      assert.equal(error?.code, code, JSON.stringify(error));
      assert.match(error.message, words);
      assert.equal(await masterAt({ port }), pid);
      assert.equal(fs.readFileSync(pidFile, 'utf8'), String(pid));
      return error;
    };
    const hangs = envOf(cluster, { BOOT: 'hangs' });
    const { cause } = await fails({ env: envOf(cluster, { BOOT: 'throws' }) }, 'ERR_CLUTCH_BOOT', /ended before it had taken over \(code: 1\)/);
    assert.equal(cause.code, 1);
    await fails({ execPath: '/there/is/no/node' }, 'ERR_CLUTCH_SPAWN', /could not be started: .*\/there\/is\/no\/node.*ENOENT/);
    await fails({ env: hangs, timeout: '3s' }, 'ERR_CLUTCH_TIMEOUT', /was not done within 3s and was killed/);
    await fails({ args: ['-e', 'for (;;);'], timeout: '1s' }, 'ERR_CLUTCH_TIMEOUT', /was not done within 1s and was killed/);
    await fails({ args: ['-e', ''] }, 'ERR_CLUTCH_BOOT', /\(code: 0\)/);
    const mark = cluster.stdout.length;
    const killed = fails({ env: hangs }, 'ERR_CLUTCH_BOOT', /\(signal: SIGKILL\)/);
    const text = () => cluster.stdout.slice(mark);
    const [, heirPid] = await cluster.waitFor(() => /new master boots, pid (\d+)/.exec(text()), { what: 'the boot of a new master' });
    await cluster.waitFor(() => /start appWorker/.exec(text()) ?? text().match(/agent_worker#1:\d+ started/g)?.length, { what: 'the start of its agent' });
    process.kill(Number(heirPid), 'SIGKILL');
    await killed;
    const { failures } = await end();
    assert.deepEqual(failures.slice(0, 20), []);
    assert.deepEqual(cluster.ended ?? other.ended, null);
    await until(() => processes.childrenOf(pid).length === 4, 'nobody is left but the agent and three apps');
  });

  for (const [first, then] of [['kernel', 'kernel'], ['kernel', 'least-busy'], ['least-busy', 'kernel']]) {
    it(`loses nothing from balance '${first}' to '${then}', and again`, async () => {
      const cluster = await startSteerable('serves_all_kinds', { balance: first, workers: 3 });
      const { port } = cluster.options;
      const [, script, , entry] = processes.commandLine(cluster.pid);
      const traffic = new Traffic(port, { clients: 6 });
      const args = [script, JSON.stringify({ ...cluster.options, balance: then, workers: 2 }), entry];
      const { pid } = await steer(cluster, 'upgrade', { args });
      await until(() => !isRunning(cluster.pid), 'the end of the first master');
      assert.equal(await masterAt({ port }), pid);
      process.kill(pid, 'SIGUSR2');
      const last = await heir(cluster, 1);
      await until(() => !isRunning(pid), 'the end of the second master');
      const before = traffic.answered;
      await until(() => traffic.answered > before + 20 || traffic.stopping, 'more answers');
      await traffic.stop();
      assert.deepEqual(traffic.failures, []);
      assert.equal(await masterAt({ port }), last);
      assert.equal(/the workers share the socket/.test(cluster.stdout), first === 'least-busy');
      process.kill(last, 'SIGTERM');
      await cluster.exit();
    });
  }

  it('loses nothing where clients are kept together', async () => {
    const cluster = await startSteerable('serves_all_kinds', { sticky: true, workers: 3 });
    const { port } = cluster.options;
    const traffic = new Traffic(port, { clients: 4, addresses: ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'] });
    const { pid } = await steer(cluster, 'upgrade');
    assert.deepEqual(await cluster.masterExit(), { code: 0, signal: null });
    assert.equal(await masterAt({ port }), pid);
    await traffic.stop();
    assert.deepEqual(traffic.failures, []);
    process.kill(pid, 'SIGTERM');
    await cluster.exit();
  });

  it('goes on when the old master is killed while the new one boots, and whoever comes meanwhile waits', async () => {
    const gate = path.join(runFolder(), 'gate');
    const pidFile = path.join(runFolder(), 'killed.pid');
    const cluster = await startSteerable('serves_all_kinds', { pidFile, workers: 2 });
    const { port } = cluster.options;
    cluster.send({ action: 'steer', data: { id: 'killed', method: 'upgrade', args: [{ env: envOf(cluster, { BOOT_GATE: gate }) }] } });
    const pid = await booting(cluster);
    await cluster.waitFor(() => cluster.stdout.match(/agent_worker#1:\d+ started/g)?.length === 2, { what: 'the agent of the new master' });
    const old = cluster.appPids().filter(worker => worker !== pid);
    process.kill(cluster.pid, 'SIGKILL');
    await cluster.output(/the old master is gone, this one takes over/);
    assert.equal(fs.readFileSync(pidFile, 'utf8'), String(pid));
    await until(() => !old.some(isRunning), 'the end of the workers of the old master');
    const waiting = masterAt({ port });
    fs.writeFileSync(gate, '');
    assert.equal(await waiting, pid);
    process.kill(pid, 'SIGTERM');
    await cluster.exit();
    assert.equal(fs.existsSync(pidFile), false);
  });

  it('that ends between the switch and the word for it is none', async () => {
    const pidFile = path.join(runFolder(), 'between.pid');
    const control = path.join(runFolder(), 'between.sock');
    const cluster = await startSteerable('serves_all_kinds', { pidFile, control, workers: 1 });
    const { port } = cluster.options;
    const traffic = new Traffic(port, { clients: 2 });
    for (const [way, words] of [['ends', /\(code: 7\)/], ['babbles', /broke off the talk/], ['closes', /broke off the talk/]]) {
      const { error } = await attempt(cluster, 'upgrade', { args: [master('breaks_off'), pidFile, control, way] });
      assert.equal(error?.code, 'ERR_CLUTCH_BOOT');
      assert.match(error.message, words);
      assert.equal(fs.readFileSync(pidFile, 'utf8'), String(cluster.pid));
      assert.equal(await masterAt({ port }), cluster.pid);
      assert.equal((await getJson({ socketPath: control }, '/status')).pid, cluster.pid);
    }
    await traffic.stop();
    assert.deepEqual(traffic.failures, []);
    assert.equal(processes.childrenOf(cluster.pid).length, 2);
  });

  it('is refused while workers are renewed or another one is under way, and ends with a stop', async () => {
    const gate = path.join(runFolder(), 'gate');
    const cluster = await startSteerable('serves_all_kinds', { workers: 1 });
    await steer(cluster, 'env', { BOOT_GATE: gate });
    const reload = attempt(cluster, 'reload');
    await event(cluster, 'worker-started');
    const { error } = await attempt(cluster, 'upgrade');
    assert.equal(error.code, 'ERR_CLUTCH_RELOAD');
    assert.match(error.message, /workers are renewed just now/);
    fs.writeFileSync(gate, '');
    assert.deepEqual((await reload).result, { workers: 1, agent: false });
    fs.rmSync(gate);
    const first = attempt(cluster, 'upgrade');
    const pid = await booting(cluster);
    const second = await attempt(cluster, 'upgrade');
    assert.equal(second.error.code, 'ERR_CLUTCH_RELOAD');
    assert.match(second.error.message, /a new master boots just now/);
    assert.equal((await attempt(cluster, 'scale', 2)).error.code, 'ERR_CLUTCH_RELOAD');
    cluster.kill();
    assert.equal((await first).error.code, 'ERR_CLUTCH_CLOSED');
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
    await until(() => !isRunning(pid), 'the end of the new master');
  });

  it('is refused where a service manager, or a command in the foreground, would end with the old master', async () => {
    const cluster = await startSteerable('serves_all_kinds', { workers: 1 });
    for (const [name, pid, words] of [['EGG_CLUTCH_FOREGROUND', process.pid, /--daemon/], ['SYSTEMD_EXEC_PID', cluster.pid, /NotifyAccess/]]) {
      await steer(cluster, 'env', { [name]: String(pid) });
      const { error } = await attempt(cluster, 'upgrade');
      assert.equal(error.code, 'ERR_CLUTCH_PLATFORM');
      assert.match(error.message, words);
    }
  });

  it('is refused where the apps are threads of the master', async () => {
    const cluster = await startSteerable('serves_all_kinds', { startMode: 'worker_threads', ports: [await freePort()] });
    const { error } = await attempt(cluster, 'upgrade');
    assert.equal(error.code, 'ERR_CLUTCH_PLATFORM');
    assert.match(error.message, /threads of this master/);
  });

  it('is refused for what is no plan', async () => {
    const cluster = await startSteerable('serves_all_kinds', { workers: 1 });
    for (const [plan, words] of [[3, /the argument of upgrade/], [{ args: 'x' }, /args must be an array/], [{ timeout: 'soon' }, /timeout must be/]]) {
      const { error } = await attempt(cluster, 'upgrade', plan);
      assert.equal(error.code, 'ERR_CLUTCH_OPTION');
      assert.match(error.message, words);
    }
  });
});
