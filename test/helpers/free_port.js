'use strict';
// A TCP port that nobody listens on, for options that must name one. It is this process' as long as it lives: no other run of tests on this
// machine is handed the same one between the choice and the moment in which somebody listens there.

const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const LOWEST = 10240;
const ATTEMPTS = 200;
// Node 18 cannot name a socket without a file: all names are one to it.
const HAS_NAMES = Number(process.versions.node.split('.')[0]) >= 20;
const FILES = path.join(os.tmpdir(), `egg-clutch-test-ports-${process.getuid()}`);
/** The claims are kept open: sockets without a file, whose names the kernel frees with their process; or files with their maker's pid. */
const handedOut = new Map();

if (!HAS_NAMES) process.once('exit', () => { for (const claimed of handedOut.values()) claimed.close(); });

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

/** As claim, by a file. One of a process that is gone is nobody's. */
function claimByFile(port) {
  const file = path.join(FILES, String(port));
  const close = () => fs.rmSync(file, { force: true });
  fs.mkdirSync(FILES, { recursive: true });
  try {
    fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    const owner = fs.readFileSync(file, 'utf8');
    if (owner !== '' && !fs.existsSync(`/proc/${owner}`)) close();
    return false;
  }
  handedOut.set(port, { close });
  return true;
}

/** Whether the port is ours from now on. */
function claim(port) {
  if (!HAS_NAMES) return claimByFile(port);
  return new Promise(resolve => {
    const claimed = net.createServer();
    claimed.once('error', () => resolve(false));
    claimed.listen(`\0egg-clutch-test-port-${port}`, () => {
      claimed.unref();
      handedOut.set(port, claimed);
      resolve(true);
    });
  });
}

function giveBack(port) {
  handedOut.get(port)?.close();
  handedOut.delete(port);
}

/** Claims a port that nobody listens on; false where somebody does, or has claimed it. */
async function take(port) {
  if (handedOut.has(port) || !await claim(port)) return false;
  if (await isFree(port)) return true;
  giveBack(port);
  return false;
}

async function freePort() {
  const range = highest() - LOWEST;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * range);
    if (await take(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${highest()} after ${ATTEMPTS} attempts`);
}

/** The first of `count` ports in a row. */
async function freePorts(count) {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const first = await freePort();
    const others = Array.from({ length: count - 1 }, (_, place) => first + 1 + place);
    const areTaken = await Promise.all(others.map(port => port <= highest() && take(port)));
    if (areTaken.every(Boolean)) return first;
    for (const port of others.filter((_, place) => areTaken[place])) giveBack(port);
  }
  throw new Error(`no ${count} free ports in a row after ${ATTEMPTS} attempts`);
}

module.exports = { freePort, freePorts, take };
