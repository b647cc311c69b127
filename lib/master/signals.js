'use strict';

// Which signal to the master means what. Node's handlers, not native ones: programs that embed the master listen to signals by Node, too.

const fs = require('fs');

const STOP_SIGNALS = ['SIGINT', 'SIGQUIT', 'SIGTERM'];

/** Whether the terminal that this process was started from is still there: one that goes away sends SIGHUP as well. */
function hasTerminal() {
  try {
    fs.closeSync(fs.openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {NodeJS.Process} proc
 * @param {object} acts
 * @param {(signal: string) => void} acts.stop
 * @param {() => void} acts.reload
 * @param {(kind: 'grow' | 'shrink') => void} acts.resize
 * @param {boolean} acts.repeats whether a stop that is asked for again means something to the cluster
 * @returns {[string, Function][]} the listeners, to take them off again
 */
function listenToSignals(proc, { stop, reload, resize, repeats }) {
  const startedFromTerminal = hasTerminal();
  const listeners = [];
  const on = (signal, listener, add = 'on') => {
    proc[add](signal, listener);
    listeners.push([signal, listener]);
  };
  // `once`: the same signal a second time meets Node's default, and that ends a master whose close hangs.
  for (const signal of STOP_SIGNALS) on(signal, () => stop(signal), repeats ? 'on' : 'once');
  on('SIGHUP', () => {
    if (startedFromTerminal && !hasTerminal()) stop('SIGHUP');
    else reload();
  });
  on('SIGTTIN', () => resize('grow'));
  on('SIGTTOU', () => resize('shrink'));
  return listeners;
}

module.exports = { listenToSignals };
