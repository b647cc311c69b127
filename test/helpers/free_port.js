'use strict';
// A TCP port that nobody listens on, for options that must name one.

const fs = require('node:fs');
const net = require('node:net');

const LOWEST = 10240;
const ATTEMPTS = 200;
const handedOut = new Set();

/** Ports that the kernel may hand to any outgoing connection are left to it: one of them could be taken a moment later. */
function highest() {
  const [first] = fs.readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/);
  return Math.max(Number(first) - 1, LOWEST + 1024);
}

function isFree(port) {
  return new Promise(resolve => {
    // Whoever connects just now, another test that waits for a port to answer, would keep the server from closing.
    const server = net.createServer(stranger => stranger.destroy());
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}

async function freePort() {
  const range = highest() - LOWEST;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * range);
    if (handedOut.has(port) || !await isFree(port)) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${highest()} after ${ATTEMPTS} attempts`);
}

/** The first of `count` ports in a row. */
async function freePorts(count) {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const first = await freePort();
    const others = Array.from({ length: count - 1 }, (_, place) => first + 1 + place);
    const areFree = await Promise.all(others.map(port => !handedOut.has(port) && port <= highest() && isFree(port)));
    if (!areFree.every(Boolean)) continue;
    for (const port of others) handedOut.add(port);
    return first;
  }
  throw new Error(`no ${count} free ports in a row after ${ATTEMPTS} attempts`);
}

module.exports = { freePort, freePorts };
