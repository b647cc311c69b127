'use strict';
// One agent or app worker run by its script alone: this process plays the primary with Node's own means, no native part.

const cluster = require('node:cluster');
const path = require('node:path');
const { fork } = require('node:child_process');
const { MARKER, RUN } = require('../helpers/process_tree');
const { Waiting } = require('../helpers/waiting');

const LIB = path.join(__dirname, '..', '..', 'lib');

class OneWorker {
  /** `child` is what was forked; `handle` what messages go through: the same, or the cluster's worker. */
  constructor(child, handle) {
    this.child = child;
    this.handle = handle;
    this.pid = child.pid;
    this.stdout = '';
    this.stderr = '';
    this.messages = [];
    this.address = null;
    this.ended = null;
    this.isDestroyed = false;
    this.waiting = new Waiting(() => `${JSON.stringify(this.messages)}\n${this.stdout}${this.stderr}`);
    for (const stream of ['stdout', 'stderr']) {
      child[stream].setEncoding('utf8').on('data', text => {
        this[stream] += text;
        this.waiting.look();
      });
    }
    // Node's primary may be about to answer a worker that the test has just destroyed.
    handle.on('error', error => {
      if (!this.isDestroyed) throw error;
    });
    handle.on('message', message => {
      this.messages.push(message);
      this.waiting.look();
    });
    handle.on('listening', address => {
      this.address = address;
      this.waiting.look();
    });
    // Its 'close' event never comes after a disconnect() from this side, so the end of its output is waited for here.
    const ends = ['stdout', 'stderr'].map(stream => new Promise(resolve => child[stream].on('close', resolve)));
    child.on('exit', async (code, signal) => {
      await Promise.all(ends);
      this.ended = { code, signal };
      this.waiting.end('the worker ended');
    });
  }

  for(find, what) {
    return this.waiting.for(find, { what });
  }

  message(action) {
    return this.for(() => this.messages.find(message => message.action === action || message === action), `message ${action}`);
  }

  output(text) {
    return this.for(() => (this.stdout + this.stderr).includes(text), `output ${text}`);
  }

  listening() {
    return this.for(() => this.address, 'listening');
  }

  end() {
    return this.for(() => this.ended, 'its end');
  }

  send(message) {
    this.handle.send(message);
  }

  destroy() {
    this.isDestroyed = true;
    if (!this.ended) this.child.kill('SIGKILL');
  }
}

const workers = new Set();

function remember(worker) {
  workers.add(worker);
  return worker;
}

function surroundings({ env, execArgv = [] }) {
  return { execArgv, env: { ...process.env, EGG_SERVER_ENV: '', NODE_ENV: '', ...env, [MARKER]: `${RUN}.worker.` } };
}

function commandLine(options) {
  return [JSON.stringify({ startMode: 'process', workers: 1, clusterPort: 1, ...options })];
}

/** Runs `lib/agent_worker.js` with these options. */
function forkAgent(options, settings = {}) {
  const { env, execArgv } = surroundings({ ...settings, env: { EGG_AGENT_WORKER_LOGGER_LEVEL: 'INFO', ...settings.env } });
  const child = fork(path.join(LIB, 'agent_worker.js'), commandLine(options), { env, execArgv, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  return remember(new OneWorker(child, child));
}

/** Runs `lib/app_worker.js` with these options, as a cluster worker of this process. */
function forkApp(options, settings = {}) {
  const { env, execArgv } = surroundings({ ...settings, env: { EGG_APP_WORKER_LOGGER_LEVEL: 'INFO', ...settings.env } });
  cluster.setupPrimary({ exec: path.join(LIB, 'app_worker.js'), args: commandLine(options), execArgv, silent: true });
  const handle = cluster.fork(env);
  return remember(new OneWorker(handle.process, handle));
}

function destroyAll() {
  for (const worker of workers) worker.destroy();
  workers.clear();
}

module.exports = { forkAgent, forkApp, destroyAll };
