'use strict';

// Free TCP ports. A port counts as free when nobody holds it on any of the addresses that an agent, an app or a client on
// this machine could use; the wildcard alone does not tell, because a listener on one address may go unseen there.

const net = require('net');
const os = require('os');

const { ClutchError } = require('./errors');

const MAX_ATTEMPTS = 64;

// The name does not resolve here, or to an address this machine does not have: then nobody can hold the port there.
const NOT_OURS = new Set(['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EAFNOSUPPORT']);

/** The first IPv4 address of this machine that others can reach, if it has one. */
function ownAddress(interfaces = os.networkInterfaces()) {
  for (const addresses of Object.values(interfaces)) {
    for (const { address, family, internal } of addresses ?? []) {
      if (!internal && (family === 'IPv4' || family === 4)) return address;
    }
  }
  return null;
}

/** Opens and closes `port` on `host` (the wildcard where it is undefined); resolves with the port it had. */
function tryListen(port, host) {
  return new Promise((resolve, reject) => {
    // Whoever happens to connect just now would keep the server from closing for as long as it likes.
    const server = net.createServer(stranger => stranger.destroy());
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => {
      const found = server.address().port;
      server.close(() => resolve(found));
    });
  });
}

async function isFree(port, hosts, listen) {
  for (const host of hosts) {
    try {
      await listen(port, host);
    } catch (error) {
      if (error.code === 'EADDRINUSE') return false;
      if (!NOT_OURS.has(error.code)) throw error;
    }
  }
  return true;
}

/**
 * A TCP port that is free on the wildcard, 0.0.0.0, 127.0.0.1, localhost and the machine's own address.
 * @param {object} [options]
 * @param {string} [options.purpose] what it is for, in the words of an error
 * @param {Iterable<number>} [options.except] ports that are about to be used, though nobody listens yet
 * @param {(port: number, host?: string) => Promise<number>} [options.listen] for tests
 * @returns {Promise<number>}
 */
async function findFreePort({ purpose = 'clusterPort', except = [], listen = tryListen } = {}) {
  const taken = new Set(except);
  const hosts = ['0.0.0.0', '127.0.0.1', 'localhost'];
  const own = ownAddress();
  if (own) hosts.push(own);
  let cause;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    try {
      const port = await listen(0);
      if (!taken.has(port) && await isFree(port, hosts, listen)) return port;
    } catch (error) {
      cause = error;
      break;
    }
  }
  const why = cause ? cause.message : `${MAX_ATTEMPTS} ports were tried, all of them in use on one of the machine's addresses`;
  throw new ClutchError('ERR_CLUTCH_LISTEN', `no free TCP port was found for ${purpose}: ${why}`, { cause });
}

module.exports = { findFreePort, ownAddress };
