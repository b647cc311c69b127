'use strict';

// The life of an app on the embedded framework, with egg's names: configWillLoad, configDidLoad, didLoad, willReady, didReady,
// serverDidReady, beforeClose. Runs the hooks in order and says when it is ready; what the hooks do is the app's affair.

const { Ready } = require('./ready');

const HOOKS = ['configWillLoad', 'configDidLoad', 'didLoad', 'willReady', 'didReady', 'serverDidReady', 'beforeClose'];

class Lifecycle {
  #boot = {};
  #ready = new Ready();
  #tasks = new Set();
  #closeHooks = [];
  #closing = null;
  #settled = false;
  #reportError;

  /** @param {(error: Error) => void} reportError takes errors that are nobody's return value */
  constructor(reportError) {
    this.#reportError = reportError;
  }

  ready(flagOrFunction) {
    return this.#ready.ready(flagOrFunction);
  }

  /** @param {() => unknown} task runs before the app is ready; the app waits for it */
  beforeStart(task) {
    if (typeof task !== 'function') throw new TypeError('beforeStart() needs a function');
    // Not before the constructor has returned, and whoever made the app listens to it.
    const running = new Promise(resolve => process.nextTick(resolve)).then(task);
    this.#tasks.add(running);
    running.catch(error => {
      if (this.#settled) this.#reportError(toError(error));
    });
  }

  /** @param {() => unknown} hook runs at the close, the last one registered first */
  beforeClose(hook) {
    if (typeof hook !== 'function') throw new TypeError('beforeClose() needs a function');
    if (this.#closing) throw new Error('beforeClose() comes too late: the app is closing');
    this.#closeHooks.push(hook);
  }

  /**
   * @param {unknown} exported what app.js or agent.js exports: a class with hooks, a function of the app, or nothing
   * @param {object} app
   * @param {string} file for the error text
   */
  start(exported, app, file) {
    this.#boot = bootOf(exported, app, file, task => this.beforeStart(task));
    const { configWillLoad, configDidLoad, didLoad, beforeClose } = this.#boot;
    configWillLoad?.();
    configDidLoad?.();
    if (beforeClose) this.beforeClose(beforeClose);
    if (didLoad) this.beforeStart(didLoad);
    this.#run().then(() => this.#settle(true), error => this.fail(error));
  }

  /** The app does not come up. @param {unknown} reason */
  fail(reason) {
    if (this.#settled) return;
    const error = toError(reason);
    this.#reportError(error);
    this.#settle(error);
  }

  /** The whole cluster is up. */
  serverDidReady() {
    this.#runLate('serverDidReady');
  }

  /**
   * Runs the close hooks, all of them even if one fails.
   * @param {number} limit milliseconds for all of them together
   * @returns {Promise<void>} the same one for every call; rejects with the first failure
   */
  close(limit) {
    this.#closing ??= this.#close(limit);
    return this.#closing;
  }

  async #run() {
    await this.#drainTasks();
    await this.#boot.willReady?.();
    await this.#drainTasks();
  }

  // A task may register further ones.
  async #drainTasks() {
    while (this.#tasks.size > 0) {
      const batch = [...this.#tasks];
      await Promise.all(batch);
      for (const task of batch) this.#tasks.delete(task);
    }
  }

  #settle(flag) {
    if (this.#settled) return;
    this.#settled = true;
    this.#ready.ready(flag);
    this.#runLate('didReady', flag instanceof Error ? flag : undefined);
  }

  #runLate(hook, argument) {
    Promise.resolve().then(() => this.#boot[hook]?.(argument)).catch(error => this.#reportError(toError(error)));
  }

  async #close(limit) {
    let timer;
    let current;
    const tooLate = new Promise((resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`close hook ${current?.name || '(anonymous)'} is not done after ${limit}ms`));
      }, limit);
    });
    const runAll = async () => {
      let failure;
      for (const hook of this.#closeHooks.splice(0).reverse()) {
        current = hook;
        try {
          await hook();
        } catch (error) {
          failure ??= toError(error);
        }
      }
      if (failure) throw failure;
    };
    try {
      await Promise.race([runAll(), tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** @returns {object} the hooks, bound */
function bootOf(exported, app, file, beforeStart) {
  if (exported === undefined || exported === null || isEmptyExports(exported)) return {};
  if (typeof exported !== 'function') {
    throw new TypeError(`${file} must export a function or a class, got ${typeof exported}`);
  }
  if (!isBootClass(exported)) {
    return {
      configDidLoad() {
        const result = exported(app);
        if (typeof result?.then === 'function') beforeStart(() => result);
      },
    };
  }
  const instance = new exported(app);
  const hooks = HOOKS.filter(name => typeof instance[name] === 'function').map(name => {
    const bound = argument => instance[name](argument);
    return [name, Object.defineProperty(bound, 'name', { value: name })];
  });
  return Object.fromEntries(hooks);
}

// What `module.exports` is in a file that exports nothing.
function isEmptyExports(exported) {
  return typeof exported === 'object' && Object.keys(exported).length === 0;
}

// Classes compiled to plain functions are known by their hooks.
function isBootClass(exported) {
  return /^class\b/.test(Function.prototype.toString.call(exported))
    || HOOKS.some(name => typeof exported.prototype?.[name] === 'function');
}

function toError(reason) {
  return reason instanceof Error || Object.prototype.toString.call(reason) === '[object Error]'
    ? reason : new Error(String(reason));
}

module.exports = { Lifecycle, toError };
