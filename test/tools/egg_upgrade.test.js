'use strict';
// A new master for a real egg app that runs as a daemon, under traffic: the agent, its schedules and its clients are there again.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const processes = require('../helpers/processes');
const { runCommand: runClutch, command } = require('../helpers/command');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { runTool } = require('../helpers/tool_process');
const { Traffic } = require('../helpers/traffic');
const { until } = require('../helpers/waiting');
const { RUNS_EGG_4 } = require('../cluster/shared/subject');
const { egg3App } = require('./egg3_tools');
const { egg4App, scriptOf, INSTALL_LIMIT_MS } = require('./egg4_tools');

const OK = { code: 0, signal: null };
const APPS = { 'egg 3': () => egg3App('egg3_tools'), ...(RUNS_EGG_4 && { 'egg 4': () => egg4App() }) };
const SCRIPTS = {
  'egg 3': baseDir => path.join(baseDir, 'node_modules', '.bin', 'egg-scripts'),
  'egg 4': baseDir => scriptOf(baseDir, '@eggjs/scripts', 'bin/run.js'),
};

function isRunning(pid) {
  const found = processes.look(pid);
  return found !== null && found.state !== 'Z';
}

for (const [egg, install] of Object.entries(APPS)) {
  describe(`egg-clutch upgrade of an ${egg} app`, () => {
    let baseDir;

    before(async function () {
      this.timeout(INSTALL_LIMIT_MS);
      ({ baseDir } = await install());
    });

    /** Which processes have run tasks, by the log of schedules. */
    function ran(tool) {
      const files = fs.readdirSync(path.join(tool.home, 'logs'), { recursive: true }).filter(name => /egg-schedule\.log$/.test(name));
      const text = files.map(name => fs.readFileSync(path.join(tool.home, 'logs', name), 'utf8')).join('');
      return new Set([...text.matchAll(/ (\d+) \[Job#.*all_apps/g)].map(([, pid]) => Number(pid)));
    }

    async function upgrade(tool, port, master) {
      const traffic = new Traffic(port, { clients: 4 });
      const { code, stdout, stderr } = await command(baseDir, ['upgrade']);
      assert.deepEqual([code, stderr], [0, ''], stdout);
      const heir = Number(/the master is (\d+) now/.exec(stdout)[1]);
      assert.notEqual(heir, master);
      await until(() => !isRunning(master), 'the end of the old master');
      const before = traffic.answered;
      await until(() => traffic.answered > before + 10 || traffic.stopping, 'answers of the new workers');
      await traffic.stop();
      assert.deepEqual(traffic.failures, []);
      assert.equal(processes.look((await getJson(port, '/')).pid).ppid, heir);
      const apps = tool.find(/app_worker/).filter(({ ppid }) => ppid === heir).map(({ pid }) => pid);
      assert.equal(apps.length, 2);
      // The agent of the new master has had each of its apps run a task.
      await until(() => apps.every(pid => ran(tool).has(pid)), 'a task in each new app');
      return heir;
    }

    it('that its own scripts have started: no request is lost, tasks run, and the scripts stop it', async function () {
      this.timeout(240000);
      const script = SCRIPTS[egg](baseDir);
      const port = await freePort();
      const title = `clutch-upgraded-${egg.at(-1)}`;
      const tool = runTool(script, ['start', '--daemon', `--title=${title}`, `--port=${port}`, '--workers=2', '--ignore-stderr'], { cwd: baseDir });
      assert.deepEqual(await tool.toolExit(), OK);
      const [{ pid }] = tool.find(/start-cluster/);
      const heir = await upgrade(tool, port, await upgrade(tool, port, pid));
      const stop = runTool(script, ['stop', `--title=${title}`], { cwd: baseDir });
      assert.deepEqual(await stop.exit(), OK);
      assert.ok(stop.stdout.includes(String(heir)), stop.stdout);
      await tool.assertNothingLeft();
    });

    it('that egg-clutch has started: no request is lost, tasks run, and the pid file goes on to the new master', async function () {
      this.timeout(240000);
      const port = await freePort();
      const tool = runClutch(baseDir, ['start', '--daemon', `--port=${port}`, '--workers=2', '--ignore-stderr']);
      assert.deepEqual(await tool.toolExit(), OK);
      const pidFile = path.join(baseDir, 'run', 'clutch.pid');
      const heir = await upgrade(tool, port, Number(fs.readFileSync(pidFile, 'utf8')));
      assert.equal(fs.readFileSync(pidFile, 'utf8'), String(heir));
      assert.equal((await command(baseDir, ['stop'])).code, 0);
      await tool.assertNothingLeft();
      assert.equal(fs.existsSync(pidFile), false);
    });
  });
}
