'use strict';

// The front door. Every name is written so that `import { … }` and `export * from` see it without running anything, and
// everything that not each process needs is loaded on first use: an app that wants the messenger must not pay for the master.

const { isMainThread } = require('worker_threads');

require('./lib/cwd_at_load');
const { ClutchError, ClusterAgentWorkerError, ClusterWorkerExceptionError } = require('./lib/errors');

const WORKER_SCRIPT = /[/\\](lib|dist[/\\]commonjs)[/\\](agent|app)_worker\.js$/;

/** Whether this process runs one of the worker scripts, of this copy of the package or of another. */
function isWorkerProcess() {
  return WORKER_SCRIPT.test(process.argv[1] ?? '') && (typeof process.send === 'function' || !isMainThread);
}

const lazy = {
  get Application() {
    return require('./lib/framework').Application;
  },
  get Agent() {
    return require('./lib/framework').Agent;
  },
  get Master() {
    return require('./lib/master').Master;
  },
  get messenger() {
    // A thread that an app has started can be no master, and its process' channel is not its own.
    if (isWorkerProcess() || !isMainThread) return require('./lib/messenger').processMessenger();
    return require('./lib/master/endpoint').masterEndpoint().messenger;
  },
};

// An async function by its constructor: egg 4's tools refuse a plain one that returns a promise.
exports.startCluster = async function startCluster(options, callback) {
  return require('./lib/master').startCluster(options, callback);
};

exports.parseOptions = async function parseOptions(options) {
  return require('./lib/options').parseOptions(options);
};

exports.ClutchError = ClutchError;
exports.ClusterAgentWorkerError = ClusterAgentWorkerError;
exports.ClusterWorkerExceptionError = ClusterWorkerExceptionError;

// cjs-module-lexer knows a getter only in this very form.
Object.defineProperty(exports, 'Application', { enumerable: true, get: function () { return lazy.Application; } });
Object.defineProperty(exports, 'Agent', { enumerable: true, get: function () { return lazy.Agent; } });
Object.defineProperty(exports, 'Master', { enumerable: true, get: function () { return lazy.Master; } });
Object.defineProperty(exports, 'messenger', { enumerable: true, get: function () { return lazy.messenger; } });
