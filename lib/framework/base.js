'use strict';

// What Application and Agent of the embedded framework have in common: options, config, logger, messenger and the life-cycle.
// It is for folders without egg; nothing in here knows how processes are started.

const path = require('path');
const { EventEmitter } = require('events');
const { ConsoleLogger } = require('../worker/console_logger');
const { closeTimeoutMs } = require('../worker/close_timeout');
const { processMessenger } = require('../messenger');
const { DEFAULTS, serverEnv, configFiles, buildConfig } = require('./config');
const { findModule, loadModules } = require('./load_modules');
const { Lifecycle } = require('./lifecycle');

// A timer that is set to more fires at once.
const MAX_TIMER_MS = 2 ** 31 - 1;
// Called by the subclasses when their own fields exist: the app's file runs inside the constructor and may use everything.
const LOAD = Symbol('load');
// The master kills at the time-out. What is left of it is for saying which hook hangs.
const CLOSE_SHARE = 0.9;

class EmbeddedBase extends EventEmitter {
  #lifecycle = new Lifecycle(error => this.#report(error));
  #startTimer = null;
  #onEggReady = () => this.#lifecycle.serverDidReady();

  /**
   * @param {object} options as startCluster hands them to the worker; kept as `app.options`, not copied
   * @param {'application' | 'agent'} type
   */
  constructor(options, type) {
    super();
    options.baseDir ??= process.cwd();
    this.type = type;
    this.options = options;
    this.baseDir = options.baseDir;
    this.env = serverEnv(options);
    this.config = {};
    this.logger = new ConsoleLogger({ level: 'INFO' });
    this.coreLogger = this.logger;
    this.messenger = processMessenger();
    this.messenger.once('egg-ready', this.#onEggReady);
    this.ready(() => clearTimeout(this.#startTimer));
  }

  /** The name in the app's package.json, empty where there is none. */
  get name() {
    return this.#packageJson().name ?? '';
  }

  /** @see Ready#ready */
  ready(flagOrFunction) {
    return this.#lifecycle.ready(flagOrFunction);
  }

  beforeStart(task) {
    this.#lifecycle.beforeStart(task);
  }

  beforeClose(hook) {
    this.#lifecycle.beforeClose(hook);
  }

  /** @returns {Promise<void>} settles once the close hooks have run; rejects if one failed or they took too long */
  async close() {
    clearTimeout(this.#startTimer);
    this.messenger.removeListener('egg-ready', this.#onEggReady);
    try {
      await this.#lifecycle.close(Math.round(closeTimeoutMs(this.type, this.options) * CLOSE_SHARE));
    } finally {
      this.emit('close');
    }
  }

  /** @param {string} mainName the app's file, without extension */
  [LOAD](mainName) {
    const configs = configFiles(this.baseDir, this.env);
    const main = findModule(this.baseDir, mainName);
    const files = main ? [...configs, main] : configs;
    const start = loaded => {
      this.config = buildConfig(configs, loaded.slice(0, configs.length), this.#appInfo());
      this.logger.level = this.config.logger?.level;
      this.#lifecycle.start(loaded[configs.length], this, main);
      this.#watchStart(this.config.workerStartTimeout);
    };
    const loaded = loadModules(files);
    if (Array.isArray(loaded)) {
      start(loaded);
      return;
    }
    // A top-level await may hang before there is a config to read the limit from.
    this.#watchStart(DEFAULTS.workerStartTimeout);
    loaded.then(start).catch(error => this.#lifecycle.fail(error));
  }

  #appInfo() {
    return { name: this.name, baseDir: this.baseDir, env: this.env, pkg: this.#packageJson() };
  }

  #packageJson() {
    try {
      return require(path.join(this.baseDir, 'package.json'));
    } catch {
      return {};
    }
  }

  #watchStart(limit) {
    if (!(limit > 0)) throw new TypeError(`config.workerStartTimeout must be a number of milliseconds, got ${limit}`);
    clearTimeout(this.#startTimer);
    this.#startTimer = setTimeout(() => {
      const late = new Error(`${this.type} is not ready after ${limit}ms`);
      this.logger.error(late);
      // The app's worker script waits for the event; where nobody does, not being ready must not last for ever.
      if (!this.emit('startTimeout')) this.#lifecycle.fail(late);
    }, Math.min(limit, MAX_TIMER_MS));
  }

  #report(error) {
    if (this.listenerCount('error') > 0) this.emit('error', error);
    else this.logger.error(error);
  }
}

module.exports = { EmbeddedBase, LOAD };
