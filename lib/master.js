'use strict';

// The JavaScript half of the master: it ties this process (its signals, its parent, its exit) to the native half, which
// forks, supervises and routes. It decides nothing about processes and runs no app code.

const os = require('os');
const v8 = require('v8');
const { isMainThread } = require('worker_threads');

const { Cluster } = require('./cluster');
const { ClutchError } = require('./errors');
const { masterEndpoint, MAX_WAITING } = require('./master/endpoint');
const { MemberList } = require('./master/member_list');
const { reapAdopted } = require('./master/adopted');
const { loadNative } = require('./master/native');
const { WorkerDrops } = require('./master/worker_drops');
const { listenToParent, sendToParent } = require('./master/parent');
const { Requests } = require('./master/requests');
const { listenToSignals } = require('./master/signals');
const { messengerSettings } = require('./options/messenger');

// On the process object, not in this module: a second copy of the package must find it as well.
const CLAIM = Symbol.for('egg-clutch.master');

function memoryLines() {
  const { heap_size_limit: limit, used_heap_size: used } = v8.getHeapStatistics();
  return [
    `[master] system memory: total ${os.totalmem()}, free ${os.freemem()}`,
    `[master] process info: heap_limit ${limit}, heap_used ${used}`,
  ];
}

/** Where the native half is at its end already, its exit event is on the way here, and nobody is left to take anything. */
function unlessClosed(act) {
  try {
    act();
  } catch (error) {
    if (error.code !== 'ERR_CLUTCH_CLOSED') throw error;
  }
}

class Master {
  #parts;
  #native = null;
  #cluster = null;
  #endpoint = null;
  #threads = null;
  #members = null;
  #compileCache = null;
  #drops = new WorkerDrops(drop => this.#cluster.emit('message-dropped', drop));
  #requests = new Requests(request => this.#native.request(request));
  #apps = new Set();
  #tickets = 0;
  #asked = new Map();
  #listeners = [];
  #stopped = null;
  #whenStopped = null;
  #booted;
  #settle;
  #callbacks = [];
  #outcome = null;

  /**
   * Starts at once.
   * @param {object} [options] see startCluster
   * @param {object} [parts] what a test may put in the place of the real ones
   */
  constructor(options, parts) {
    this.#parts = { proc: process, loadNative, findFreePort: require('./ports').findFreePort, masterEndpoint, ...parts };
    this.options = null;
    this.#booted = new Promise((resolve, reject) => {
      this.#settle = error => {
        if (this.#outcome) return;
        this.#outcome = { error };
        if (error) reject(error);
        else resolve(this.#cluster);
        for (const callback of this.#callbacks) callback(error);
      };
    });
    this.#boot(options).catch(error => this.#settle(error));
  }

  /**
   * @param {(error: Error | null) => void} [callback] called once
   * @returns {Promise<Cluster>}
   */
  ready(callback) {
    if (callback) {
      // What a callback throws is the caller's uncaught exception, not an end of ours.
      const safely = error => {
        try {
          callback(error);
        } catch (thrown) {
          process.nextTick(() => { throw thrown; });
        }
      };
      if (this.#outcome) process.nextTick(safely, this.#outcome.error);
      else this.#callbacks.push(safely);
    }
    return this.#booted;
  }

  /** Stops the cluster as a signal would; the process exits when all is gone. */
  async close() {
    await (this.#native ? null : this.#booted);
    await this.#stop('', []);
  }

  async #boot(given) {
    const { proc } = this.#parts;
    if (!isMainThread) {
      throw new ClutchError('ERR_CLUTCH_BOOT',
        'startCluster must be called on the main thread of a process: a worker thread gets no signals, and its exit ends no process');
    }
    if (proc[CLAIM]) {
      throw new ClutchError('ERR_CLUTCH_BOOT',
        'startCluster was already called in this process: a master has one cluster; close it, or fork a process for the other one');
    }
    proc[CLAIM] = true;
    try {
      const { lines, config } = await this.#prepare(given);
      this.#construct(config);
      this.#wire(config);
      for (const [level, text] of lines) this.#native.log(level, text);
      this.#start();
    } catch (error) {
      this.#unwire();
      this.#native?.exiting(1);
      delete proc[CLAIM];
      throw error;
    }
  }

  async #prepare(given) {
    // Here and not above: an ES module that imports anything of this package, in a worker too, evaluates the Master export.
    const { parse } = require('./options');
    const { readEnvironment } = require('./options/environment');
    const { heapBudget } = require('./options/memory_plan');
    const { bannerLines } = require('./master/banner');
    const { CompileCache } = require('./master/compile_cache');
    const { clusterConfig, readFramework } = require('./master/config');
    const { takeInheritance } = require('./master/succession');
    const { proc } = this.#parts;
    const inherited = takeInheritance(proc.env);
    const environment = readEnvironment(proc.env);
    const { options, flavour, workersReason } = await parse(given);
    const framework = readFramework(options.framework);
    this.#parts.native = this.#parts.loadNative();
    this.options = { ...options, ...await this.#findPorts(options) };
    const heapReason = heapBudget(this.options, proc)?.reason;
    this.#compileCache = new CompileCache({ version: proc.versions.node, uid: proc.getuid() });
    const config = clusterConfig(this.options, { flavour, framework, proc, environment, inherited, compileCache: this.#compileCache });
    const { production, quiet } = config;
    const lines = bannerLines({ options, flavour, framework, workersReason, heapReason, production, quiet, nodeEnv: environment.nodeEnv });
    return { lines, config };
  }

  async #findPorts({ port, ports = [], debugPort, sticky }) {
    const { findFreePort } = this.#parts;
    const taken = [port, debugPort, ...ports];
    const clusterPort = await findFreePort({ purpose: 'clusterPort', except: taken });
    if (!sticky) return { clusterPort };
    return { clusterPort, stickyWorkerPort: await findFreePort({ purpose: 'stickyWorkerPort', except: [...taken, clusterPort] }) };
  }

  #construct(config) {
    const { native, proc } = this.#parts;
    this.#endpoint = this.#parts.masterEndpoint();
    this.#endpoint.messenger.listen();
    const { members } = this.#endpoint.transport;
    this.#endpoint.transport.clones = messengerSettings(this.options).serialization === 'advanced';
    this.#members = new MemberList({ pid: proc.pid, members, deliver: text => this.#deliver('master', text) });
    const actions = {
      status: () => this.#status(),
      droppedByWorkers: () => this.#drops.count,
      stack: id => this.#stack(id),
      ask: request => this.#requests.ask(request),
      upgrade: plan => this.#requests.ask({ kind: 'upgrade' }, ({ ticket }) => this.#native.upgrade(plan, ticket)),
      close: () => this.close(),
    };
    this.#cluster = new Cluster(actions, { pid: proc.pid, messenger: this.#endpoint.messenger });
    try {
      this.#native = new native.Cluster(config, text => this.#onEvent(text));
    } catch (error) {
      throw ClutchError.from(error, 'ERR_CLUTCH_BOOT');
    }
    if (config.threads) this.#threads = this.#makeThreads(config);
  }

  #makeThreads({ agent, app }) {
    const { Threads } = require('./master/threads');
    const native = this.#native;
    const told = name => (...args) => unlessClosed(() => native[name](...args));
    return new Threads({
      native: {
        threadStarted: told('threadStarted'),
        threadNotStarted: told('threadNotStarted'),
        threadSaid: told('threadSaid'),
        threadExited: told('threadExited'),
        log: (level, text) => native.log(level, text),
      },
      scripts: { agent: agent.script, app: app.script },
      options: this.options,
      toParent: message => this.#sendToParent(message),
      toMaster: message => this.#receive(message),
    });
  }

  #sendToParent(message) {
    sendToParent(this.#parts.proc, message, text => this.#native.log('warn', text));
  }

  #start() {
    try {
      this.#native.watchSignals();
      this.#native.start();
    } catch (error) {
      throw ClutchError.from(error, 'ERR_CLUTCH_SPAWN');
    }
  }

  #wire({ preStopDelayMs }) {
    const { proc } = this.#parts;
    const native = this.#native;
    const on = (event, listener) => {
      proc.once(event, listener);
      this.#listeners.push([event, listener]);
    };
    const ask = request => unlessClosed(() => native.request(request));
    const repeats = preStopDelayMs > 0;
    this.#listeners.push(...listenToSignals(proc, {
      stop: signal => this.#onSignal(signal, repeats),
      reload: () => ask({ kind: 'reload' }),
      resize: kind => ask({ kind }),
      repeats,
    }));
    on('exit', code => native.exiting(code));
    const onChild = reapAdopted(proc, () => unlessClosed(() => native.reapAdopted()));
    if (onChild) this.#listeners.push(['SIGCHLD', onChild]);
    const listener = listenToParent(proc, text => this.#deliver('parent', text), text => native.log('warn', text));
    this.#listeners.push(['message', listener]);
  }

  /** At readiness, not before: until then the router has nobody to give the messages to, and would lose them. */
  #connect() {
    const { transport } = this.#endpoint;
    const dropped = transport.connect(text => this.#deliver('master', text));
    this.#members.complete();
    if (dropped) this.#native.log('warn', `[master] ${dropped} messages sent before startCluster were dropped, ${MAX_WAITING} are kept`);
  }

  #unwire() {
    for (const [event, listener] of this.#listeners.splice(0)) this.#parts.proc.removeListener(event, listener);
  }

  /** Asked again, a cluster that serves on for a while before it stops hurries; the native half knows. */
  #onSignal(signal, repeats) {
    if (!this.#stopped) this.#stop(signal, memoryLines());
    else if (repeats) unlessClosed(() => this.#native.stop(signal, []));
  }

  #stop(signal, lines) {
    if (!this.#stopped) {
      this.#stopped = new Promise(resolve => { this.#whenStopped = resolve; });
      unlessClosed(() => this.#native.stop(signal, lines));
    }
    return this.#stopped;
  }

  #deliver(origin, text) {
    unlessClosed(() => this.#native.deliver(origin, text));
  }

  #status() {
    try {
      return this.#native.status();
    } catch (error) {
      throw ClutchError.from(error, 'ERR_CLUTCH_CLOSED');
    }
  }

  #stack(id) {
    const { agent, workers } = JSON.parse(this.#status());
    const found = id === 'agent' ? agent : workers.find(worker => worker.id === id);
    if (!found?.pid) throw new ClutchError('ERR_CLUTCH_NO_RECEIVER', `there is no worker ${id}; the ids are those of status().workers, or 'agent'`);
    const ticket = this.#tickets += 1;
    return new Promise(resolve => {
      this.#asked.set(ticket, resolve);
      this.#native.askStack(found.pid, ticket);
    });
  }

  /** Called by the native half. An exception in a listener is an uncaught one as after any other emit, never the addon's. */
  #onEvent(text) {
    try {
      this.#handle(JSON.parse(text));
    } catch (error) {
      process.nextTick(() => { throw error; });
    }
  }

  #handle({ type, ...fields }) {
    switch (type) {
      case 'ready':
        this.#cluster.address = fields.address;
        this.#sendToParent(fields.toParent);
        this.#connect();
        this.#settle(null);
        break;
      case 'exit':
        this.#onExit(fields.code);
        break;
      case 'answer':
        this.#requests.settle(fields);
        break;
      case 'channel-closed':
        // It lives on, and can answer nobody.
        this.#members.note(type, fields);
        break;
      case 'environment':
        this.#tellEnvironment();
        break;
      case 'parent':
        this.#sendToParent(fields.message);
        break;
      case 'message':
        this.#receive(fields.message);
        break;
      case 'stack':
        this.#asked.get(fields.ticket)?.(fields.stack);
        this.#asked.delete(fields.ticket);
        break;
      case 'thread-start':
      case 'thread-post':
      case 'thread-relay':
      case 'thread-replay':
      case 'thread-forget':
      case 'thread-terminate':
        this.#threads.handle(type, fields);
        break;
      default:
        this.#countApps(type, fields.pid);
        this.#members.note(type, fields);
        this.#cluster.emit(type, fields);
    }
  }

  /** A message to the master. */
  #receive(message) {
    if (!this.#members.take(message) && !this.#drops.take(message)) this.#endpoint.transport.receive(message);
  }

  /** The messenger's sendRandom chooses among the pids of the last `egg-pids`; the master is told by events instead. */
  #countApps(type, pid) {
    if (type === 'worker-ready') this.#apps.add(pid);
    else if (type !== 'worker-exited' || !this.#apps.delete(pid)) return;
    this.#endpoint.transport.receive({ action: 'egg-pids', data: [...this.#apps] });
  }

  /** Processes are forked with the environment as it is then, not as it was at the start. */
  #tellEnvironment() {
    const { environmentOf } = require('./master/config');
    unlessClosed(() => this.#native.setEnvironment(environmentOf(this.#parts.proc, this.#compileCache)));
  }

  #onExit(code) {
    const { proc } = this.#parts;
    this.#native.endHeard();
    this.#requests.close();
    const wasBooting = this.#outcome === null;
    this.#settle(this.#stopped
      ? new ClutchError('ERR_CLUTCH_CLOSED', 'the cluster was stopped before it was ready')
      : new ClutchError('ERR_CLUTCH_BOOT', `the cluster did not become ready, the master exits with code ${code}; its log says why`));
    if (!this.#whenStopped) return proc.exit(code);
    this.#whenStopped();
    // A stop before the start is done is orderly, too; in the next turn a caller who handles no rejection would make it a failure.
    if (wasBooting) return proc.exit(code);
    // Whoever awaits close() gets a turn before the process goes.
    return setImmediate(() => proc.exit(code));
  }
}

/** See index.d.ts. */
async function startCluster(options, callback) {
  if (callback !== undefined && callback !== null && typeof callback !== 'function') {
    throw new ClutchError('ERR_CLUTCH_OPTION', `the callback of startCluster must be a function, got ${typeof callback}`);
  }
  return new Master(options).ready(callback);
}

module.exports = { Master, startCluster };
