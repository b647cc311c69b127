'use strict';
// `egg-clutch start`, `stop` and `logs` with real clusters, found by their pid file.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { command, runCommand, appFolder } = require('../helpers/command');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { assertInOrder } = require('../helpers/lines');
const processes = require('../helpers/processes');
const { until } = require('../helpers/waiting');

const OK = { code: 0, signal: null };
const FAILED = { code: 1, signal: null };
const THROWS = "'use strict';\nthrow new Error('this app throws');\n";

/** Flags by which no two tests write to one file, or listen on one port. */
async function flagsFor(baseDir) {
  const [stdout, stderr] = ['out', 'err'].map(name => path.join(baseDir, 'logs', `${name}.log`));
  const port = await freePort();
  return { port, outFile: stdout, errFile: stderr, flags: [`--port=${port}`, '--workers=2', `--stdout=${stdout}`, `--stderr=${stderr}`] };
}

async function startDaemon(baseDir, more = []) {
  const { flags, ...where } = await flagsFor(baseDir);
  return { ...await command(baseDir, ['start', '--daemon', ...flags, ...more]), ...where };
}

describe('egg-clutch start', () => {
  it('starts a daemon, says where it serves, and stop ends it', async () => {
    const baseDir = appFolder();
    const started = await startDaemon(baseDir);
    assert.deepEqual([started.code, started.stderr], [0, '']);
    assertInOrder(started.stdout, [
      `[egg-clutch] Starting egg-clutch application at ${baseDir}\n`,
      `[egg-clutch] Save log file to ${path.join(baseDir, 'logs')}\n`,
      `[egg-clutch] egg-clutch started on http://127.0.0.1:${started.port}\n`,
    ]);
    const [master] = started.tool.find(/start-cluster\.js .*"title":"egg-server-small-app".*--title=egg-server-small-app/);
    assert.equal(fs.readFileSync(path.join(baseDir, 'run', 'clutch.pid'), 'utf8'), String(master.pid));
    assert.equal(processes.look((await getJson(started.port, '/')).pid).ppid, master.pid);

    const again = await command(baseDir, ['stop']);
    assert.deepEqual([again.code, again.stdout, again.stderr], [0, `stopped: the master ${master.pid} is gone\n`, '']);
    await started.tool.assertNothingLeft();
    assert.equal(fs.readFileSync(started.errFile, 'utf8'), '');
    assert.equal((await command(baseDir, ['stop'])).code, 3);
  });

  it('says where a daemon is in JSON, and keeps the logs of the one before', async () => {
    const baseDir = appFolder();
    const { flags, outFile: stdout, errFile: stderr, port } = await flagsFor(baseDir);
    fs.mkdirSync(path.dirname(stdout), { recursive: true });
    fs.writeFileSync(stdout, 'of the one before\n');
    const started = await command(baseDir, ['start', '--daemon', '--json', ...flags]);
    const { pid, ...rest } = started.json();
    assert.deepEqual(rest, { address: `http://127.0.0.1:${port}`, stdout, stderr });
    const [kept] = fs.readdirSync(path.dirname(stdout)).filter(name => /^out\.log\.\d{8}\.\d{6}$/.test(name));
    assert.equal(fs.readFileSync(path.join(path.dirname(stdout), kept), 'utf8'), 'of the one before\n');
    const stopped = await command(baseDir, ['stop', '--json']);
    assert.deepEqual(stopped.json(), { pid, stopped: true });
    await started.tool.assertNothingLeft();
  });

  it('fails where the daemon does not get ready, shows why, and leaves nobody', async () => {
    const started = await startDaemon(appFolder({ app: THROWS }));
    assert.equal(started.code, 1);
    assertInOrder(started.stderr, ['Got error when startup: \n', 'this app throws', `Start got error, see ${started.errFile}\n`]);
    await started.tool.assertNothingLeft();
  });

  it('fails where the daemon writes an error while it starts, unless that is to be ignored', async () => {
    const baseDir = appFolder({ agent: "'use strict';\nmodule.exports = agent => agent.beforeStart(async () => {\n  console.error('only a warning');\n  await new Promise(resolve => setTimeout(resolve, 700));\n});\n" });
    const failed = await startDaemon(baseDir);
    assert.equal(failed.code, 1);
    assertInOrder(failed.stderr, ['only a warning\n', 'Or use `--ignore-stderr`']);
    await failed.tool.assertNothingLeft();

    const started = await startDaemon(baseDir, ['--ignore-stderr']);
    assert.equal(started.code, 0);
    assert.equal((await command(baseDir, ['stop'])).code, 0);
    await started.tool.assertNothingLeft();
  });

  it('fails where the time is over, and leaves nobody', async () => {
    const baseDir = appFolder({ agent: "'use strict';\nmodule.exports = agent => agent.beforeStart(() => new Promise(() => {}));\n" });
    const failed = await startDaemon(baseDir, ['--timeout=300']);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /Start failed, 0\.3s timeout\nits output is in /);
    await failed.tool.assertNothingLeft();
  });

  it('is refused in a folder in which a cluster runs that nobody would find any more, and not under a name of its own', async () => {
    const baseDir = appFolder();
    const started = await startDaemon(baseDir);
    const [{ pid }] = started.tool.find(/start-cluster\.js/);
    for (const more of [[], ['--pid-file=run/clutch.pid']]) {
      const second = await startDaemon(baseDir, more);
      assert.deepEqual([second.code, second.stderr],
        [1, `egg-clutch: a cluster runs here already, its master is ${pid}: stop it first, or give this one a --control of its own\n`]);
    }
    assert.equal(fs.readFileSync(path.join(baseDir, 'run', 'clutch.pid'), 'utf8'), String(pid));
    const other = await startDaemon(baseDir, ['--control=run/other.sock']);
    assert.equal(other.code, 0);
    for (const flags of [['--control=run/other.sock'], []]) assert.equal((await command(baseDir, ['stop', ...flags])).code, 0);
    for (const { tool } of [started, other]) await tool.assertNothingLeft();
  });

  it('in the foreground hands on what the cluster says, and ends with it at a signal', async () => {
    const { flags, port } = await flagsFor(appFolder());
    const tool = runCommand(appFolder(), ['start', ...flags], { terminal: true });
    await tool.output(`[master] egg-clutch started on http://127.0.0.1:${port}`);
    const [master] = tool.find(/start-cluster\.js .*--with-parent/);
    const environment = fs.readFileSync(`/proc/${master.pid}/environ`, 'utf8').split('\0');
    assert.ok(environment.includes(`EGG_CLUTCH_FOREGROUND=${processes.look(master.pid).ppid}`), 'the master knows who ends with it');
    // As from a terminal: to all of the foreground job, and the master must not hear it twice.
    tool.interrupt();
    assert.deepEqual(await tool.exit(), OK);
    assertInOrder(tool.stdout, ['[master] master is killed by signal SIGINT, closing\n', '[master] exit with code:0\n']);
    assert.equal(tool.stderr, '');
    await tool.assertNothingLeft();
  });

  it('in the foreground ends with the code of a cluster that does not start', async () => {
    const { flags } = await flagsFor(appFolder());
    const tool = runCommand(appFolder({ app: THROWS }), ['start', ...flags]);
    assert.deepEqual(await tool.exit(), FAILED);
    assertInOrder(tool.stderr, ['this app throws']);
  });

  it('takes the cluster with it when it is killed in the foreground', async () => {
    const { flags, port } = await flagsFor(appFolder());
    const tool = runCommand(appFolder(), ['start', ...flags]);
    await tool.output(`[master] egg-clutch started on http://127.0.0.1:${port}`);
    tool.remember();
    tool.kill('SIGKILL');
    await tool.exit();
    await tool.assertNothingLeft();
  });

  it('is wrong usage with a folder that is not there', async () => {
    const { code, stderr } = await command(appFolder(), ['start', './nowhere']);
    assert.deepEqual([code, /baseDir must be a folder, got .*nowhere/.test(stderr)], [2, true]);
  });
});

describe('egg-clutch stop', () => {
  it('says so when the master is still there after the time-out', async () => {
    const baseDir = appFolder();
    const started = await startDaemon(baseDir);
    const [master] = started.tool.find(/start-cluster\.js/);
    process.kill(master.pid, 'SIGSTOP');
    const { code, stderr } = await command(baseDir, ['stop', '--timeout=200', '--pid-file=run/clutch.pid']);
    assert.deepEqual([code, stderr], [1, `egg-clutch: the master ${master.pid} is still there after 200 ms; it goes on stopping\n`]);
    process.kill(master.pid, 'SIGCONT');
    await started.tool.assertNothingLeft();
  });
});

describe('egg-clutch logs', () => {
  it('follows what a daemon writes, through a rotation', async () => {
    const baseDir = appFolder();
    const started = await startDaemon(baseDir);
    const [master] = started.tool.find(/start-cluster\.js/);
    const logs = runCommand(baseDir, ['logs', '--lines=1']);
    await logs.output(`[master] egg-clutch started on http://127.0.0.1:${started.port}`);
    assert.equal(logs.stdout.trimEnd().split('\n').length, 1);
    fs.renameSync(started.outFile, `${started.outFile}.1`);
    fs.writeFileSync(started.outFile, 'of the next one\n');
    await logs.output('of the next one\n');
    logs.kill('SIGINT');
    assert.deepEqual(await logs.exit(), OK);

    fs.writeFileSync(started.outFile, 'one\ntwo\n');
    const printed = await command(baseDir, ['logs', '--no-follow', '-n', '1', `--stdout=${started.outFile}`]);
    assert.deepEqual([printed.code, printed.stdout], [0, 'two\n']);
    await command(baseDir, ['stop']);
    await until(() => !processes.isAlive(master), 'the end of the master');
    await started.tool.assertNothingLeft();
  });

  it('says so where there is neither a cluster nor a file', async () => {
    const baseDir = appFolder();
    assert.equal((await command(baseDir, ['logs', '--base-dir=.'])).code, 3);
    assert.equal((await command(baseDir, ['logs', '--no-follow', '--stdout=nothing.log'])).code, 1);
    assert.equal((await command(baseDir, ['logs', '--lines=few'])).code, 2);
  });
});
