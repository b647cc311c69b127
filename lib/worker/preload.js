'use strict';

// Loaded before an entry that is not ours (options.appWorkerFile, agentWorkerFile): ties the process to the native side of its master, as
// our own scripts do. How it boots, serves and closes is the entry's business.

const cluster = require('cluster');
const { attach, joinLane, joinSwitchboard } = require('./attach');
const { closeTimeoutMs } = require('./close_timeout');
const { takeCompileCache } = require('./compile_cache');
const { ConsoleLogger } = require('./console_logger');
const { messengerSettings } = require('../options/messenger');

// A process that is forked by the worker inherits the arguments by which this is loaded, but not this.
const MARK = 'EGG_CLUTCH_ENTRY';

if (process.env[MARK]) {
  delete process.env[MARK];
  takeCompileCache(process.env);
  const role = cluster.isWorker ? 'app' : 'agent';
  const logger = new ConsoleLogger({});
  const options = JSON.parse(process.argv[2]);
  const error = attach(closeTimeoutMs(role, options));
  if (error) logger.error(error);
  joinSwitchboard(role, messengerSettings(options), logger);
  joinLane(logger);
}
