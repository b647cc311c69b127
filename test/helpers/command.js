'use strict';
// The command egg-clutch as a shell runs it, in a folder of its own with a small app.

const fs = require('node:fs');
const path = require('node:path');
const { runFolder } = require('./run_folder');
const { runTool } = require('./tool_process');

const SCRIPT = path.join(__dirname, '..', '..', 'bin', 'egg-clutch.js');
const APP = `'use strict';
module.exports = app => {
  app.use(ctx => { ctx.body = { pid: process.pid }; });
};
`;
let made = 0;

/** A folder with an app without egg: `app` and `agent` are the texts of its files. */
function appFolder({ app = APP, agent = "'use strict';\nmodule.exports = () => {};\n" } = {}) {
  made += 1;
  const folder = path.join(runFolder(), `app-${made}`);
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'app.js'), app);
  fs.writeFileSync(path.join(folder, 'agent.js'), agent);
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'small-app', private: true }));
  return folder;
}

/** Runs it; settings are those of runTool. */
function runCommand(cwd, args, settings) {
  return runTool(SCRIPT, args, { cwd, ...settings });
}

/** Runs it to its own end: resolves to { code, stdout, stderr, json() }. What it started, its `tool` ends. */
async function command(cwd, args, settings) {
  const tool = runCommand(cwd, args, settings);
  const { code, signal } = await tool.toolExit();
  await tool.waitFor(() => tool.closed, { what: `the end of the output of ${args[0]}` });
  return { tool, code: code ?? signal, stdout: tool.stdout, stderr: tool.stderr, json: () => JSON.parse(tool.stdout) };
}

module.exports = { appFolder, runCommand, command, SCRIPT };
