'use strict';

// The addon keeps nothing per process that a thread could leave behind: it is loaded in many threads, and they end in every way.

const fs = require('fs');
const path = require('path');
const { once } = require('events');
const { Worker } = require('worker_threads');
const { appDir, removeAll, ROOT } = require('./support/app_dir');

const SCRIPT = path.join(__dirname, 'support', 'thread_loads_addon.js');
const ROUNDS = 6;
const ENDS = { return: 0, exit: 3, throw: 1, terminate: 1 };

const ENTRY = { script: 'a', execArgv: [], isRestored: false };
const CONFIG = {
  execPath: '/bin/false', execArgv: [], agent: ENTRY, app: ENTRY, bootsAtOnce: 1, env: [], optionsJson: '{}', threads: false,
  switchboard: true, lanes: true, balance: 'least-busy', maxQueueBytes: 2 ** 28, sharesSockets: true, workers: 1,
  frameworkName: 'none', production: false, quiet: true, logLevel: 'NONE', logsJson: false, isDebug: false, protocol: 'http',
  appCloseTimeoutMs: 1, agentCloseTimeoutMs: 1, announceAgentPid: false, oomFiles: [], controlIsDefault: false, ownExecPath: '/bin/false', ownArgs: [],
  bootTimeoutMs: 1000, spares: 0, reloadConcurrency: 1, reloadAgent: false, preStopDelayMs: 0,
  restart: { backoffBaseMs: 1, backoffCapMs: 1, healthyAfterMs: 1, intensity: 1, intensityPeriodMs: 1, endsMaster: false },
};

// Each thread loads the addon anew; on a busy machine that takes its time.
jest.setTimeout(60_000);
afterAll(removeAll);

/** The names of this process' threads. */
function threadNames() {
  const names = [];
  for (const id of fs.readdirSync('/proc/self/task')) {
    try {
      names.push(fs.readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim());
    } catch (error) {
      // It has ended since.
      if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error;
    }
  }
  return names;
}

function live(end) {
  const worker = new Worker(SCRIPT, { workerData: { end, config: CONFIG } });
  return new Promise(resolve => {
    let told;
    worker.on('message', message => {
      told = message;
      if (end === 'terminate') worker.terminate();
    });
    // What it was asked to throw.
    worker.on('error', () => {});
    worker.on('exit', code => resolve({ told, code }));
  });
}

test(`is loaded and unloaded in ${ROUNDS * Object.keys(ENDS).length} threads, and leaves none of its own`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const lives = await Promise.all(Object.keys(ENDS).map(live));
    expect(lives.map(({ code }) => code)).toEqual(Object.values(ENDS));
    for (const { told } of lives) expect(told).toEqual({ attach: 'ERR_CLUTCH_PLATFORM', cluster: 'ERR_CLUTCH_BOOT' });
  }
  expect(threadNames().filter(name => name.startsWith('clutch'))).toEqual([]);
});

test('startCluster in a thread is refused with what to do', async () => {
  const code = `
    const { parentPort, workerData } = require('worker_threads');
    const { startCluster } = require(workerData.root);
    startCluster({ baseDir: workerData.baseDir, workers: 1 })
      .then(() => parentPort.postMessage('started'), ({ code, message }) => parentPort.postMessage({ code, message }));
  `;
  const worker = new Worker(code, { eval: true, workerData: { root: ROOT, baseDir: appDir() } });
  const [answer] = await once(worker, 'message');
  expect(answer).toEqual({ code: 'ERR_CLUTCH_BOOT', message: expect.stringContaining('on the main thread of a process') });
  await once(worker, 'exit');
});
