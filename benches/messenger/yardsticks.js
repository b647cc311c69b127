'use strict';

// What Node itself does between two of its processes or threads: the floor for whoever goes through it.

const { fork } = require('node:child_process');
const path = require('node:path');
const { Worker } = require('node:worker_threads');
const { payload } = require('../../test/fixtures/apps/measures_messages/payloads');
const { median, short } = require('./arithmetic');

const ECHO = path.join(__dirname, 'echo.js');
const COUNTS = { 64: 4000, 1024: 3000, [1 << 14]: 800, [1 << 18]: 60, [1 << 20]: 24, [1 << 23]: 6 };

const PEERS = {
  'child_process, json': { start: () => forked('json'), shapes: ['str', 'obj'] },
  'child_process, advanced': { start: () => forked('advanced'), shapes: ['str', 'obj', 'buf', 'clone'] },
  'worker_threads': { start: threaded, shapes: ['str', 'obj', 'buf', 'clone'] },
};

function forked(serialization) {
  const child = fork(ECHO, { serialization });
  return { send: message => child.send(message), on: listener => child.on('message', listener), stop: () => child.kill() };
}

function threaded() {
  const worker = new Worker(ECHO);
  return { send: message => worker.postMessage(message), on: listener => worker.on('message', listener), stop: () => worker.terminate() };
}

function roundTrips(peer, data, count) {
  return new Promise(resolve => {
    const times = [];
    let from;
    const go = () => {
      from = process.hrtime.bigint();
      peer.send(data);
    };
    peer.on(() => {
      times.push(Number(process.hrtime.bigint() - from) / 1000);
      if (times.length === count) resolve(median(times.slice(count >> 2)));
      else go();
    });
    go();
  });
}

/** Resolves to lines: of each peer, the median round trip in microseconds by size and shape. */
async function yardsticks() {
  const lines = [];
  for (const [name, { start, shapes }] of Object.entries(PEERS)) {
    const cells = [];
    for (const shape of shapes) {
      for (const [bytes, count] of Object.entries(COUNTS)) {
        const peer = start();
        cells.push(`${shape} ${bytes} B ${short(await roundTrips(peer, payload(shape, Number(bytes)), count))}`);
        await peer.stop();
      }
    }
    lines.push(`${name}, µs p50: ${cells.join(', ')}`);
  }
  return lines;
}

module.exports = { yardsticks };
