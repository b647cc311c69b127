'use strict';
// A command-line tool that a test runs, as a user's shell would, with all that it starts: also a daemon that outlives it.

const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const processes = require('./processes');
const { ProcessTree } = require('./process_tree');
const { runFolder } = require('./run_folder');

class ToolProcess extends ProcessTree {
  constructor(script, args, { cwd, env, execArgv = [] }) {
    const home = path.join(runFolder(), 'home');
    fs.mkdirSync(home, { recursive: true });
    // Tools call `node`: it must be the one under test, whichever the shell would find.
    const PATH = [path.dirname(process.execPath), process.env.PATH].join(path.delimiter);
    super(variables => spawn(process.execPath, [...execArgv, script, ...args], {
      cwd,
      env: { ...process.env, HOME: home, EGG_HOME: home, PATH, ...env, ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    }));
    this.command = [path.basename(script), ...args].join(' ');
  }

  /** Resolves to { code, signal } at the tool's own exit, while what it started may go on. */
  toolExit(limits) {
    return this.waitFor(() => this.ended, { what: `the exit of ${this.command}`, ...limits });
  }

  /** Those of the tree whose command line, arguments parted by blanks, matches `pattern`: [{ pid, ppid, startTime, argv }]. */
  find(pattern) {
    return this.living()
      .map(process => ({ ...process, argv: processes.commandLine(process.pid) }))
      .filter(({ argv }) => pattern.test(argv.join(' ')));
  }

  details() {
    return [this.command];
  }
}

/**
 * Runs a tool's script with these arguments on the node under test. Settings: `cwd`, `env` (added to ours; HOME is a folder of
 * this run), `execArgv`.
 * What a test runs, the test ends: the hooks stop it and check that nobody is left. What a `before` runs, its `after` stops.
 */
function runTool(script, args = [], settings = {}) {
  return new ToolProcess(script, args, settings);
}

module.exports = { runTool };
