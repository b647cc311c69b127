'use strict';
// Every verb that asks a running cluster, in a folder in which two of them run.

const assert = require('node:assert/strict');
const path = require('node:path');
const { SCRIPT, appFolder, command, runCommand } = require('../helpers/command');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const processes = require('../helpers/processes');
const { VERBS } = require('../../lib/cli/verbs');
const { hasTerminal, openScreen } = require('../helpers/tmux');
const { until } = require('../helpers/waiting');

const AGENT = "'use strict';\nmodule.exports = () => {};\n";

describe('egg-clutch, where two clusters run in one folder', () => {
  let folder;
  let one;
  let other;

  async function start(name) {
    const port = await freePort();
    const control = `run/${name}.sock`;
    const logs = ['out', 'err'].map(kind => path.join(folder, 'logs', `${name}.${kind}`));
    const flags = ['--daemon', '--workers=2', `--port=${port}`, `--control=${control}`, `--stdout=${logs[0]}`, `--stderr=${logs[1]}`];
    const started = await command(folder, ['start', ...flags]);
    assert.deepEqual([started.code, started.stderr], [0, '']);
    return { tool: started.tool, port, control };
  }

  /** Asks the one that is named by its socket. */
  const ask = (cluster, ...args) => command(folder, [...args, `--control=${cluster.control}`]);

  async function status(cluster) {
    const { code, stdout } = await ask(cluster, 'status', '--json');
    assert.equal(code, 0);
    return JSON.parse(stdout);
  }

  /** Of those that serve: old ones may still be on their way out. */
  const idsOf = ({ workers }) => workers.filter(({ state }) => state === 'ready').map(({ id }) => id);

  before(async () => {
    folder = appFolder({ agent: AGENT });
    [one, other] = await Promise.all([start('one'), start('other')]);
  });

  after(async () => {
    for (const cluster of [one, other]) {
      if (!cluster) continue;
      await ask(cluster, 'stop');
      await cluster.tool.assertNothingLeft();
    }
  });

  /** What is done to the one leaves the other as it was. */
  async function leavesTheOther(act) {
    const before = await status(other);
    await act();
    const after = await status(other);
    assert.deepEqual([after.pid, idsOf(after)], [before.pid, idsOf(before)]);
  }

  it('is asked by every verb that there is', function() {
    const words = new Set(this.test.parent.tests.flatMap(({ title }) => title.split(/\W*\s/)));
    // `start` is how they come to be, and the others ask no cluster.
    const asking = Object.keys(VERBS).filter(verb => !['start', 'completion', 'help'].includes(verb));
    assert.deepEqual(asking.filter(verb => !words.has(verb)), []);
  });

  it('status tells them apart', async () => {
    const [a, b] = [await status(one), await status(other)];
    assert.deepEqual([a.address, b.address], [one, other].map(({ port }) => `http://127.0.0.1:${port}`));
    assert.notEqual(a.pid, b.pid);
    const { stdout } = await ask(one, 'status');
    assert.ok(stdout.startsWith(`ready · 2 of 2 serve · ${a.address} · master ${a.pid}\n`), stdout);
    assert.equal((await command(folder, ['status'])).code, 3);
    assert.equal((await command(folder, ['status', '--pid-file=run/other.pid', '--json'])).json().pid, b.pid);
  });

  it('reload gives one of them new workers', () => leavesTheOther(async () => {
    const before = await status(one);
    const { code, stdout } = await ask(one, 'reload');
    assert.deepEqual([code, stdout], [0, 'reloaded 2 workers\n']);
    assert.ok(idsOf(await status(one)).every(id => !idsOf(before).includes(id)));
  }));

  it('scale gives one of them more workers, and fewer', () => leavesTheOther(async () => {
    for (const count of ['3', '2']) {
      const { code, stdout } = await ask(one, 'scale', count);
      assert.deepEqual([code, stdout], [0, `${count} workers\n`]);
      assert.equal((await status(one)).serving, Number(count));
    }
    assert.equal((await ask(one, 'scale', '0')).code, 2);
  }));

  it('restart gives one worker a successor, and knows no worker of the other', () => leavesTheOther(async () => {
    const [id] = idsOf(await status(one));
    const { code, stdout } = await ask(one, 'restart', String(id));
    assert.deepEqual([code, stdout], [0, `worker ${id} has a successor\n`]);
    assert.ok(!idsOf(await status(one)).includes(id));
    const missing = await ask(one, 'restart', '9999', '--json');
    assert.deepEqual([missing.code, missing.json().error.code], [1, 'ERR_CLUTCH_OPTION']);
  }));

  it('isolate takes a worker out of service, and rejoin brings it back', () => leavesTheOther(async () => {
    const [id, second] = idsOf(await status(one));
    assert.equal((await ask(one, 'isolate', String(id))).code, 0);
    assert.equal((await status(one)).serving, 1);
    assert.equal((await ask(one, 'isolate', String(second))).code, 1);
    assert.equal((await ask(one, 'rejoin', String(id))).code, 0);
    assert.equal((await status(one)).serving, 2);
  }));

  it('stack tells what a process does, or that it is idle', async () => {
    const [id] = idsOf(await status(one));
    // It may have something to do for a moment, and then that is told.
    const idle = `worker ${id} runs no JavaScript at the moment: it is idle, or blocked outside of it\n`;
    await until(async () => {
      const { code, stdout } = await ask(one, 'stack', String(id));
      assert.equal(code, 0);
      return stdout === idle;
    }, idle);
    assert.equal((await ask(one, 'stack', 'agent')).code, 0);
    assert.equal((await ask(one, 'stack', '9999')).code, 1);
  });

  it('soak-reload loses nothing', () => leavesTheOther(async () => {
    const { code, json } = await ask(one, 'soak-reload', '--reloads=2', '--clients=4', '--json');
    const { reloads, lost, asked, answered } = json();
    assert.deepEqual([code, reloads, lost, answered], [0, 2, 0, asked]);
    assert.ok(asked > 10);
  }));

  it('upgrade puts a new master in the place of one of them', () => leavesTheOther(async () => {
    const before = await status(one);
    const { code, stdout } = await ask(one, 'upgrade');
    const { pid } = await status(one);
    assert.deepEqual([code, stdout], [0, `upgraded: the master is ${pid} now\n`]);
    assert.notEqual(pid, before.pid);
  }));

  it('logs prints what one of them has written', async () => {
    const { code, stdout } = await ask(one, 'logs', '--no-follow', '--lines=1000');
    assert.equal(code, 0);
    assert.ok(stdout.includes(`egg-clutch started on http://127.0.0.1:${one.port}`));
    assert.ok(!stdout.includes(`:${other.port}`));
  });

  it('top shows one of them, and restarts a worker of it', () => leavesTheOther(async () => {
    if (!hasTerminal()) return;
    const [id] = idsOf(await status(one));
    const screen = openScreen([process.execPath, SCRIPT, 'top', '--interval=100ms', `--control=${one.control}`], { cwd: folder });
    try {
      await screen.shows(`http://127.0.0.1:${one.port}`);
      screen.press('Down');
      await screen.shows(new RegExp(`> ${id} `));
      screen.press('r', 'y');
      await screen.shows(`restart ${id}: done`);
      screen.press('q');
      await screen.shows('ended with 0');
    } finally {
      screen.end();
    }
    assert.ok(!idsOf(await status(one)).includes(id));
  }));

  it('answers while every worker and the agent stand still', async () => {
    const { pid, agent, workers } = await status(one);
    const pids = [agent, ...workers].map(({ pid }) => pid);
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    try {
      assert.equal((await status(one)).pid, pid);
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
  });

  it('stop ends one of them', async () => {
    const { pid } = await status(one);
    const stopped = await ask(one, 'stop');
    assert.deepEqual([stopped.code, stopped.stdout], [0, `stopped: the master ${pid} is gone\n`]);
    assert.equal((await ask(one, 'status')).code, 3);
    assert.equal((await ask(one, 'stop')).code, 3);
    assert.equal(processes.look((await getJson(other.port, '/')).pid).ppid, (await status(other)).pid);
  });

  it('stop by the pid file where the socket does not answer', async () => {
    const { pid } = await status(other);
    const stopped = await command(folder, ['stop', '--control=run/nobody.sock', '--pid-file=run/other.pid']);
    assert.deepEqual([stopped.code, stopped.stdout], [0, `stopped: the master ${pid} is gone\n`]);
    await until(() => !processes.look(pid), 'the end of the master');
  });

  it('follows no log of a cluster that is gone', async () => {
    const logs = runCommand(folder, ['logs', '--control=run/other.sock']);
    assert.equal((await logs.exit()).code, 3);
  });
});
