'use strict';

// A worker thread that loads the addon and tries all of it, tells what came of it, and ends as `workerData.end` says.

const { parentPort, workerData } = require('worker_threads');
const binding = require('../../binding');

function codeOf(act) {
  try {
    act();
    return 'done';
  } catch (error) {
    return error.code;
  }
}

parentPort.postMessage({
  attach: codeOf(() => binding.attach(1)),
  cluster: codeOf(() => new binding.Cluster(workerData.config, () => {})),
});
if (workerData.end === 'exit') process.exit(3);
if (workerData.end === 'throw') throw new Error('as it was asked to');
// Until somebody ends it.
if (workerData.end === 'terminate') for (;;);
