'use strict';

// A master with pid 1 is handed every orphan of its container, and must reap those that end. libuv reaps what JavaScript has started,
// whenever SIGCHLD comes; who is still unreaped two turns later is nobody else's. See src/master/adopted.rs.

const TURN_MS = 100;

/**
 * @param {NodeJS.Process} proc
 * @param {() => void} reap what was there at its last call and still is
 * @returns {(() => void) | null} the listener of SIGCHLD; none where the process is not the first
 */
function reapAdopted(proc, reap) {
  if (proc.pid !== 1) return null;
  let turns = 0;
  const turn = () => {
    reap();
    turns -= 1;
    if (turns > 0) setTimeout(turn, TURN_MS).unref();
  };
  const listener = () => {
    if (turns === 0) setTimeout(turn, TURN_MS).unref();
    turns = 3;
  };
  proc.on('SIGCHLD', listener);
  return listener;
}

module.exports = { reapAdopted };
