'use strict';

// What both worker scripts do before their ways part: options from the command line, the app's code, the instance, and its
// orderly end. The scripts decide what happens when the instance is ready.

const cluster = require('cluster');
const { isMainThread, parentPort, threadId } = require('worker_threads');
const { attach, introduce, joinLane, joinSwitchboard, whenSent } = require('./attach');
const { closeTimeoutMs } = require('./close_timeout');
const { takeCompileCache } = require('./compile_cache');
const { ConsoleLogger } = require('./console_logger');
const { drainServers } = require('./drain');
const { gracefulExit } = require('./graceful_exit');
const { drainServersBeside } = require('./servers_beside');
const { loadNow, loadLater, importFramework } = require('./load_framework');
const { flavour } = require('../flavour');
const { timeouts } = require('../options/supervision');
const { processMessenger } = require('../messenger');
const { becomeWorker } = require('../messenger/transports');
const { messengerSettings } = require('../options/messenger');

// A failed start is thrown, so that Node prints it and exits with 1. Should somebody catch it (an uncaughtException handler of
// a preloaded module), no process without an app may stay behind; the delay lets such a handler report.
const CAUGHT_FAILURE_LINGER_MS = 2000;
// The master kills at the time-out. So much of it requests in flight may take; the rest is for the close hooks.
const DRAIN_SHARE = 0.7;

/**
 * @typedef {object} WorkerContext
 * @property {object} options the parsed options; the very object that the instance was constructed with
 * @property {ConsoleLogger} logger
 * @property {2 | 3} flavour which of egg's cluster packages we stand in for
 * @property {import('./drain').Drain[]} servers what is to be drained before the close hooks run
 * @property {(message: object) => void} send to the master; a closed channel is no error
 * @property {() => void} terminate ends this process through its close hooks; the failure has been logged before
 */

/**
 * @param {object} worker
 * @param {'Agent' | 'Application'} worker.exportName the class that the framework exports
 * @param {string} worker.label `agent_worker` or `app_worker`
 * @param {string | undefined} worker.logLevel
 * @param {string} worker.script absolute path of the worker script
 * @param {(instance: object, context: WorkerContext) => void} worker.constructed called in the tick of the construction
 */
function bootWorker({ exportName, label, logLevel, script, constructed }) {
  const role = exportName === 'Agent' ? 'agent' : 'app';
  const options = JSON.parse(process.argv[2]);
  if (options.log === 'json') ConsoleLogger.writeJson({ role, worker: cluster.worker?.id });
  const closeTimeout = closeTimeoutMs(role, options);
  takeCompileCache(process.env);
  const attachError = attach(closeTimeout);
  const logger = new ConsoleLogger({ level: logLevel });
  if (attachError) logger.error(attachError);
  const settings = messengerSettings(options);
  becomeWorker(role, settings);
  joinSwitchboard(role, settings, logger);
  joinLane(logger);
  const { lingerMs } = timeouts(options);
  const version = flavour(options.framework);
  const servers = [];
  drainServersBeside(cluster, servers);

  function start(framework) {
    let instance;
    try {
      instance = new framework[exportName](options);
    } catch (error) {
      logger.error(error);
      throw error;
    }
    // In the same tick as the framework's own messenger: Node holds messages back until somebody listens, and whoever comes
    // a tick later misses them.
    processMessenger().listen();
    introduce(instance.messenger);
    const send = message => sendToMaster(version === 3 ? { ...message, senderWorkerId: ownAddress() } : message);
    constructed(instance, { options, logger, flavour: version, servers, send, terminate });
    const close = async () => {
      await drainServers(servers, { limitMs: closeTimeout * DRAIN_SHARE, lingerMs });
      await instance.close();
    };
    // A worker that has parted from the master, as `graceful` does after an uncaught exception, is about to leave, too.
    process.once('disconnect', () => {
      for (const server of servers) server.announce();
    });
    gracefulExit({ label, logger, close, settle: whenSent });
  }

  try {
    const framework = version === 2 ? loadNow(options, script) : null;
    if (framework) {
      start(framework);
      return;
    }
  } catch (error) {
    failStart(error);
  }
  const loading = version === 2 ? importFramework(options) : loadLater(options, script);
  // A mere rejection would end nothing where the framework handles those (egg logs them and goes on).
  loading.then(start).catch(error => process.nextTick(failStart, error));
}

function failStart(error) {
  process.exitCode = 1;
  setTimeout(() => process.exit(1), CAUGHT_FAILURE_LINGER_MS).unref();
  throw error;
}

function ownAddress() {
  return String(isMainThread ? process.pid : threadId);
}

function sendToMaster(message) {
  if (!isMainThread) return void parentPort.postMessage(message);
  if (!process.send || !process.connected) return;
  process.send(message, undefined, undefined, () => {});
}

// Through SIGTERM, so that the close hooks run; the orderly exit then makes the exit code 0, and the master's code says 1.
function terminate() {
  // In a thread this ends the thread; nobody can send it a signal.
  if (!isMainThread) return void process.exit(1);
  process.exitCode = 1;
  process.kill(process.pid, 'SIGTERM');
}

module.exports = { bootWorker };
