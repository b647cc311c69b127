'use strict';

// Lets the master see what this process does and why it ends, through a page of memory that both share: see src/worker/pulse.rs. What
// is done here costs nothing while nothing happens.

const diagnostics = require('diagnostics_channel');
const inspector = require('inspector');
const { shareTraffic } = require('../messenger/traffic');

// Numbers on the page, where Rust and the master read them, each the lower half of a word: requests that were begun, those that are done
// with, and what became of these.
const BEGUN = 0;
const DONE = 2;
const ANSWERED_2XX = 4;
const ANSWERED_5XX = 10;
const BROKEN_OFF = 12;
let counts = null;

const FRAMES = 50;
const SIGNAL = /^SIG[A-Z0-9]+$/;

/**
 * The stack of whatever is running. Called in the middle of it, so whatever the app has made of Error is left as it was.
 * @returns {string}
 */
function takeStack() {
  const { stackTraceLimit, prepareStackTrace } = Error;
  const place = {};
  try {
    Error.stackTraceLimit = FRAMES;
    Error.prepareStackTrace = undefined;
    Error.captureStackTrace(place, takeStack);
    // Made when it is read for the first time.
    return place.stack.replace(/^.*\n/, '');
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    Error.prepareStackTrace = prepareStackTrace;
  }
}

/** Node asks one function only when the heap is nearly full, and this option is one. */
function heapIsWatched({ execArgv, env }) {
  return [...execArgv, env.NODE_OPTIONS ?? ''].some(text => text.includes('heapsnapshot-near-heap-limit'));
}

function watchSignals(binding, proc) {
  const renew = event => {
    if (typeof event === 'string' && SIGNAL.test(event)) process.nextTick(() => binding.renewSignals());
  };
  proc.on('newListener', renew);
  proc.on('removeListener', renew);
}

/** A process that is under a debugger is never killed for standing still. */
function watchInspector(binding) {
  if (inspector.url()) binding.noteInspector();
  const { open } = inspector;
  inspector.open = function (...args) {
    binding.noteInspector();
    return open.apply(this, args);
  };
}

function leaveWords(binding, proc) {
  proc.on('uncaughtExceptionMonitor', error => {
    binding.leaveWord('uncaught', String(error?.stack ?? error));
  });
  proc.on('exit', code => binding.leaveWord('exit', takeStack(), code));
}

/**
 * @param {object} binding
 * @param {NodeJS.Process} [proc]
 * @returns {Error | null} why the master cannot see this process
 */
function attachPulse(binding, proc = process) {
  const invitation = proc.env.EGG_CLUTCH_PULSE;
  // Not for the children of this process.
  delete proc.env.EGG_CLUTCH_PULSE;
  if (!invitation) return null;
  try {
    counts = binding.attachPulse(invitation, takeStack, !heapIsWatched(proc));
    shareTraffic(binding);
  } catch (error) {
    return error;
  }
  watchSignals(binding, proc);
  watchInspector(binding);
  leaveWords(binding, proc);
  return null;
}

/** Where a request is counted that is done with. */
function outcomeOf({ writableFinished, statusCode }) {
  if (!writableFinished) return BROKEN_OFF;
  return Math.min(Math.max(ANSWERED_2XX, 2 * Math.floor(statusCode / 100)), ANSWERED_5XX);
}

/** Counts the requests of a server from now on. */
function countRequests(server) {
  if (!counts) return;
  function done() {
    counts[DONE] += 1;
    counts[outcomeOf(this)] += 1;
  }
  // No listener of the server's own: apps can see who listens to it.
  diagnostics.subscribe('http.server.request.start', ({ response, server: of }) => {
    if (of !== server) return;
    counts[BEGUN] += 1;
    response.on('close', done);
  });
}

module.exports = { attachPulse, countRequests, outcomeOf, takeStack };
