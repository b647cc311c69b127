'use strict';
// A cluster as its parent sees it: a forked master with an IPC channel, its output, its messages and its process tree.

const path = require('node:path');
const { randomUUID } = require('node:crypto');
const { fork } = require('node:child_process');
const processes = require('./processes');
const { Waiting } = require('./waiting');

const ROOT = path.join(__dirname, '..', '..');
const STARTER = path.join(__dirname, 'starter.js');
const MARKER = 'EGG_CLUTCH_TEST_RUN';
// One prefix for this run of the tests, so that its end can look for what any cluster left.
const RUN = randomUUID();
const GONE_LIMIT_MS = 10000;
const OUTPUT_TAIL = 6000;

const running = new Set();
let started = 0;

class ClusterProcess {
  constructor(options, { env, execArgv = [], nodePath = process.execPath, entry = ROOT, starter = STARTER, cwd, stdio }) {
    started += 1;
    this.marker = `${RUN}.${started}.`;
    this.options = options;
    this.stdout = '';
    this.stderr = '';
    this.messages = [];
    this.ended = null;
    this.tree = new Map();
    this.waiting = new Waiting(() => this.describe());
    this.child = fork(starter, [JSON.stringify(options), entry], {
      cwd,
      execPath: nodePath,
      execArgv,
      // egg writes its production logs below its home.
      env: { ...process.env, EGG_HOME: path.join(ROOT, '.tmp', 'home'), ...env, [MARKER]: this.marker },
      stdio: stdio ?? ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.pid = this.child.pid;
    this.listen();
    running.add(this);
  }

  listen() {
    const { child } = this;
    for (const stream of ['stdout', 'stderr']) {
      child[stream]?.setEncoding('utf8').on('data', text => {
        this[stream] += text;
        this.waiting.look();
      });
    }
    child.on('message', message => {
      this.messages.push(message);
      this.waiting.look();
    });
    child.on('exit', (code, signal) => {
      this.ended = { code, signal };
      this.waiting.look();
    });
    // 'close' comes when the last process that holds the output has gone, so nothing can be printed after it.
    child.on('close', () => {
      this.closed = true;
      this.waiting.end(`the cluster is gone (${JSON.stringify(this.ended)})`);
    });
    child.on('error', error => this.waiting.end(error.message));
  }

  /** Resolves to the first truthy result of `find(this)`, asked again at every line, message and exit. */
  waitFor(find, limits) {
    return this.waiting.for(() => find(this), { what: String(find), ...limits });
  }

  /** The `index`-th message (from 0) with this action. */
  message(action, { index = 0, ...limits } = {}) {
    return this.waitFor(() => this.messages.filter(message => message?.action === action)[index],
      { what: `message #${index} '${action}'`, ...limits });
  }

  /** A match of `pattern` (RegExp or text) in what the cluster printed on either stream. */
  output(pattern, limits) {
    const matches = text => (typeof pattern === 'string' ? text.includes(pattern) && [pattern] : pattern.exec(text));
    return this.waitFor(() => matches(this.stdout) || matches(this.stderr), { what: `output ${pattern}`, ...limits });
  }

  /** The data of `egg-ready`: { port, address, protocol, … }. */
  async ready(limits) {
    const { data } = await this.message('egg-ready', limits);
    this.remember();
    return data;
  }

  /** Resolves to { code, signal } of the master once it and everybody who could still print have gone. */
  exit(limits) {
    return this.waitFor(() => this.closed && this.ended, { what: 'the end of the cluster', ...limits });
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

  kill(signal = 'SIGTERM') {
    this.remember();
    this.child.kill(signal);
  }

  /** SIGTERM, the end, and nobody left; a cluster that has ended already is only checked. */
  async stop(signal = 'SIGTERM') {
    if (!this.ended) this.kill(signal);
    const ended = await this.exit();
    await this.assertNothingLeft();
    return ended;
  }

  /** The master's children: [{ pid, role: 'agent' | 'app' | 'other', startTime, argv }]. */
  workers() {
    this.remember();
    return processes.childrenOf(this.pid).map(child => {
      const argv = processes.commandLine(child.pid);
      const script = argv.find(argument => /(agent|app)_worker\.\w+$/.test(argument)) ?? '';
      const role = /(agent|app)_worker\.\w+$/.exec(script)?.[1] ?? 'other';
      return { ...child, role, argv };
    });
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

  /** Takes down who is in the tree now: a process that cleans its environment is found again by pid and start time. */
  remember() {
    for (const process of processes.descendantsOf(this.pid)) this.tree.set(`${process.pid} ${process.startTime}`, process);
  }

  living() {
    const found = new Map();
    for (const process of processes.withVariable(MARKER, this.marker)) found.set(process.pid, process);
    for (const process of this.tree.values()) {
      if (processes.isAlive(process)) found.set(process.pid, process);
    }
    return [...found.values()];
  }

  /** Rejects, and kills them, where processes of this cluster are still there after `limitMs`. */
  async assertNothingLeft(limitMs = GONE_LIMIT_MS) {
    const left = await processes.waitUntilGone(() => this.living(), limitMs);
    running.delete(this);
    if (!left.length) return;
    const list = left.map(({ pid, state }) => `${pid} ${state} ${processes.commandLine(pid).join(' ').slice(0, 300)}`);
    this.destroy();
    throw new Error(`left over from the cluster of master ${this.pid}:\n${list.join('\n')}\n${this.describe()}`);
  }

  /** Kills whatever is there, at once; for the end of a test that has failed already. */
  destroy() {
    running.delete(this);
    for (const { pid } of this.living()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    }
  }

  describe() {
    const tail = text => (text.length > OUTPUT_TAIL ? `…${text.slice(-OUTPUT_TAIL)}` : text);
    return [
      `master ${this.pid}: ${this.ended ? `ended with ${JSON.stringify(this.ended)}` : 'running'}`,
      `messages: ${JSON.stringify(this.messages).slice(-OUTPUT_TAIL)}`,
      `--- stdout\n${tail(this.stdout)}`,
      `--- stderr\n${tail(this.stderr)}`,
    ].join('\n');
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

module.exports = { startCluster, running, MARKER, RUN };
