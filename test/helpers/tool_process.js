'use strict';
// A command-line tool that a test runs, as a user's shell would, with all that it starts: also a daemon that outlives it.

const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const processes = require('./processes');
const { ProcessTree } = require('./process_tree');
const { runFolder } = require('./run_folder');

const COMMANDS = path.join(__dirname, '..', 'fixtures', 'tools', 'path');

class ToolProcess extends ProcessTree {
  #leadsGroup;

  constructor(script, args, { cwd, env, execArgv = [], terminal = false }) {
    const home = path.join(runFolder(), 'home');
    fs.mkdirSync(home, { recursive: true });
    // Tools call `node`: it must be the one under test, whichever the shell would find. And they call `ps`: ours.
    const PATH = [COMMANDS, path.dirname(process.execPath), process.env.PATH].join(path.delimiter);
    super(variables => spawn(process.execPath, [...execArgv, script, ...args], {
      cwd,
      // egg's tools ask for the home in ways of their own.
      env: { ...process.env, HOME: home, EGG_HOME: home, MOCK_HOME_DIR: home, PATH, ...env, ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: terminal,
    }));
    this.home = home;
    this.#leadsGroup = terminal;
    this.command = [path.basename(script), ...args].join(' ');
  }

  /** Resolves to { code, signal } at the tool's own exit, while what it started may go on. */
  toolExit(limits) {
    return this.waitFor(() => this.ended, { what: `the exit of ${this.command}`, ...limits });
  }

  /** Ctrl-C: a terminal sends SIGINT to every process of its foreground job, and not to the tool alone. */
  interrupt() {
    if (!this.#leadsGroup) throw new Error(`${this.command} was not run with { terminal: true }`);
    this.remember();
    process.kill(-this.pid, 'SIGINT');
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
 * this run), `execArgv`, `terminal` (it leads a job of its own, for interrupt()).
 * What a test runs, the test ends: the hooks stop it and check that nobody is left. What a `before` runs, its `after` stops.
 */
function runTool(script, args = [], settings = {}) {
  return new ToolProcess(script, args, settings);
}

module.exports = { runTool };
