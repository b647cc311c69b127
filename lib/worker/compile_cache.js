'use strict';

// A worker's side of lib/master/compile_cache.js.

const nodeModule = require('module');

const MARK = 'EGG_CLUTCH_COMPILE_CACHE';
let isShared = false;

/** Node has read what the master has set; the app and its children are not to see it. */
function takeCompileCache(env) {
  if (!env[MARK]) return;
  isShared = true;
  delete env[MARK];
  delete env.NODE_COMPILE_CACHE;
}

/**
 * Writes down what this process has compiled, for those that come after it. By itself Node does that when a process exits, and not where it
 * is killed. Takes time (of the order of 100 ms in an app of some size) only where there is something new.
 */
function shareCompiled() {
  if (isShared) nodeModule.flushCompileCache?.();
}

module.exports = { shareCompiled, takeCompileCache };
