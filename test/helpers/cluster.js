'use strict';
// A cluster as its parent sees it: a forked master with an IPC channel, its output, its messages and its process tree.

const path = require('node:path');
const { fork } = require('node:child_process');
const processes = require('./processes');
const { ProcessTree, tail } = require('./process_tree');

const ROOT = path.join(__dirname, '..', '..');
const STARTER = path.join(__dirname, 'starter.js');

class ClusterProcess extends ProcessTree {
  constructor(options, { env, execArgv = [], nodePath = process.execPath, entry = ROOT, starter = STARTER, cwd, stdio }) {
    super(variables => fork(starter, [JSON.stringify(options), entry], {
      cwd,
      execPath: nodePath,
      execArgv,
      // egg writes its production logs below its home.
      env: { ...process.env, EGG_HOME: path.join(ROOT, '.tmp', 'home'), ...env, ...variables },
      stdio: stdio ?? ['ignore', 'pipe', 'pipe', 'ipc'],
    }));
    this.options = options;
    this.messages = [];
    this.child.on('message', message => {
      this.messages.push(message);
      this.waiting.look();
    });
  }

  /** The `index`-th message (from 0) with this action. */
  message(action, { index = 0, ...limits } = {}) {
    return this.waitFor(() => this.messages.filter(message => message?.action === action)[index],
      { what: `message #${index} '${action}'`, ...limits });
  }

  /** The data of `egg-ready`: { port, address, protocol, … }. */
  async ready(limits) {
    const { data } = await this.message('egg-ready', limits);
    this.remember();
    return data;
  }

  /** Resolves to { code, signal } at the master's own exit, while others may still be alive. */
  masterExit(limits) {
    return this.waitFor(() => this.ended, { what: "the master's exit", ...limits });
  }

  send(message) {
    this.child.send(message);
  }

  disconnect() {
    this.child.disconnect();
  }

  /** The master's children: [{ pid, role: 'agent' | 'app' | 'other', startTime, argv }]. */
  workers() {
    this.remember();
    return processes.workersOf(this.pid);
  }

  pids(role) {
    return this.workers().filter(worker => worker.role === role).map(({ pid }) => pid);
  }

  appPids() {
    return this.pids('app');
  }

  agentPid() {
    return this.pids('agent')[0];
  }

  details() {
    return [`messages: ${tail(JSON.stringify(this.messages))}`];
  }
}

/**
 * Starts a cluster in a process of its own.
 * `options` go to startCluster as they are. Settings: `entry`, the module whose startCluster is called (this package; for an egg
 * app the path of its egg), `env` (added to ours), `execArgv`, `nodePath`, `cwd`, `starter` (another script than starter.js),
 * `stdio` (as child_process has it; what is no pipe is not read).
 * What a test starts, the test ends: the hooks stop it and check that nobody is left. What a `before` starts, its `after` stops.
 */
function startCluster(options, settings = {}) {
  return new ClusterProcess(options, settings);
}

module.exports = { startCluster };
