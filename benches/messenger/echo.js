'use strict';

// Sends back what it is sent: the other end of the yardsticks.

const { isMainThread, parentPort } = require('node:worker_threads');

if (isMainThread) process.on('message', message => process.send(message));
else parentPort.on('message', message => parentPort.postMessage(message));
