'use strict';

const { setTimeout: pause } = require('timers/promises');

const { ControlClient } = require('../control_client');
const { EXIT, CommandError } = require('../failures');
const { locate, lookAt, isGone, noCluster, processOf } = require('../find_cluster');
const { withProgress } = require('../progress');
const { time } = require('../values');

const LIMIT_MS = 60000;
const LOOK_EVERY_MS = 50;
// For the first answer of a master; one that does not give it gets a signal.
const LOOK_LIMIT_MS = 5000;

function terminate(pid) {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if (error.code === 'EPERM') throw CommandError.otherUser(`the master ${pid}`, error);
    // It has ended by itself meanwhile.
    if (error.code !== 'ESRCH') throw error;
  }
}

/**
 * Asks by the control socket; where nobody is there, by a signal to whom the pid file names.
 * Resolves to { master, asked }: the process, and a promise of what the order came to (an error, or null).
 */
async function ask(cluster, client, { limitMs, signal }) {
  try {
    const { pid } = await client.status({ timeoutMs: Math.min(limitMs, LOOK_LIMIT_MS) });
    const master = lookAt(pid);
    // Whoever is gone when the answer should come has done what it was asked.
    const asked = client.order('stop', {}, { signal }).then(() => null, error => (error.code === 'ERR_CLUTCH_CLOSED' ? null : error));
    return { master, asked };
  } catch (error) {
    const master = processOf(cluster.pidFile);
    if (!master) throw error.exitCode === EXIT.noCluster ? noCluster(cluster, error) : error;
    terminate(master.pid);
    return { master, asked: new Promise(() => {}) };
  }
}

/** The kernel sends no event about a process that is not one's own child. */
async function waitForEnd({ master, asked }, limitMs) {
  let refused = null;
  asked.then(error => { refused = error; });
  const limit = Date.now() + limitMs;
  while (!isGone(master)) {
    if (refused) throw refused;
    if (Date.now() > limit) {
      throw new CommandError(`the master ${master.pid} is still there after ${limitMs} ms; it goes on stopping`, { code: 'ERR_CLUTCH_TIMEOUT' });
    }
    await pause(LOOK_EVERY_MS);
  }
}

/** `egg-clutch stop` */
async function stop({ flags }, { stdout, stderr, cwd }) {
  const limitMs = time('--timeout', flags.timeout) ?? LIMIT_MS;
  const cluster = locate(flags, cwd);
  const client = new ControlClient(cluster);
  const ended = new AbortController();
  const pid = await withProgress(stderr, 'stopping', async () => {
    try {
      const { master, asked } = await ask(cluster, client, { limitMs, signal: ended.signal });
      if (master) await waitForEnd({ master, asked }, limitMs);
      return master?.pid;
    } finally {
      // Whoever waits for the answer still, past the limit, would keep this process.
      ended.abort();
    }
  });
  stdout.write(flags.json ? `${JSON.stringify({ pid, stopped: true })}\n` : `stopped${pid ? `: the master ${pid} is gone` : ''}\n`);
}

module.exports = { stop };
