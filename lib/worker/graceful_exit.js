'use strict';

// What a worker does at its end: SIGTERM runs the close hooks and exits 0; a lost master ends the agent with 110 and the app
// with 0. Called once by each worker script; knows nothing of what is closed. The line texts are matched by tools.

const cluster = require('cluster');

const EXIT_ASKED = 0;
const EXIT_MASTER_LOST = 110;

/**
 * @param {object} options
 * @param {string} options.label `agent_worker` or `app_worker`
 * @param {{info: Function, error: Function}} options.logger
 * @param {() => unknown} options.close the close hooks; may be asynchronous, may fail
 * @param {() => unknown} [options.settle] what is waited for after them; never fails
 * @param {NodeJS.Process} [options.target] the process to watch and end
 * @param {import('cluster').Worker} [options.worker] this process as a cluster worker; undefined in the agent
 */
// In a thread of the master no signal and no disconnect comes, and the master ends it without asking: only the last line is left.
function gracefulExit({ label, logger, close, settle = () => {}, target = process, worker = cluster.worker }) {
  let leaving = false;

  function leave(code) {
    if (leaving) return;
    leaving = true;
    // The hooks run in a later tick, so that a throw of a synchronous one is a failure like any other.
    Promise.resolve().then(close).then(
      () => logger.info('[%s] beforeExit success', label),
      error => logger.error('[%s] beforeExit fail, error: %s', label, error?.message ?? error),
    ).then(settle).then(() => target.exit(code));
  }

  target.once('SIGTERM', () => {
    logger.info('[%s] receive signal SIGTERM, exiting with code:0', label);
    leave(EXIT_ASKED);
  });

  target.once('exit', code => {
    logger[code === 0 ? 'info' : 'error']('[%s] exit with code:%s', label, code);
  });

  if (worker) {
    worker.once('disconnect', () => {
      // Node itself exits the process right after this event, unless the disconnect was asked for.
      if (leaving || worker.exitedAfterDisconnect) return;
      logger.error('[%s] receive disconnect event in cluster fork mode, exitedAfterDisconnect:false', label);
    });
    return;
  }
  target.once('disconnect', () => {
    // An orderly stop sends SIGTERM and may close the channel at once; the signal is only seen in the next turn of the loop.
    setImmediate(() => {
      if (leaving) return;
      logger.error('[%s] receive disconnect event on child_process fork mode, exiting with code:110', label);
      leave(EXIT_MASTER_LOST);
    });
  });
}

module.exports = { gracefulExit };
