'use strict';

// startMode and ports: whether agent and apps are processes or threads of the master, and the port of each app thread.

const { ClutchError } = require('../errors');
const { MAX_PORT, bad, show, port } = require('./checks');

const START_MODES = ['process', 'worker_threads'];

/** What threads cannot have, as they share no listening socket: when it is asked for, and why it cannot be. */
const NOT_WITH_THREADS = {
  sticky: [Boolean, 'each app thread has a port of its own, and nobody deals connections to them'],
  balance: [value => value !== 'round-robin', 'each app thread has a port of its own, and nobody deals connections to them'],
};

function parsePorts(value = []) {
  const allowed = `an array of TCP ports from 1 to ${MAX_PORT}, each of them once`;
  if (!Array.isArray(value)) throw bad('options.ports', value, allowed);
  const ports = value.map((entry, index) => {
    const number = port(`options.ports[${index}]`, entry ?? undefined);
    if (!number) throw bad(`options.ports[${index}]`, entry, `a TCP port from 1 to ${MAX_PORT}`);
    return number;
  });
  if (new Set(ports).size < ports.length) throw bad('options.ports', value, allowed);
  return ports;
}

/** Whether this Node's own listen() takes reusePort: a thread listens by itself. */
function knowsReusePort(version) {
  const [major, minor] = version.split('.').map(Number);
  return major >= 24 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
}

/** All app threads on one port, each with a socket of its own there. */
function checkReusePort(given, ports, version) {
  if (!given.port) throw new ClutchError('ERR_CLUTCH_OPTION', 'options.port must be specified when reusePort is enabled');
  if (ports.length) refuse('ports', given.ports, 'with reusePort all app threads listen on options.port, and options.workers says how many there are');
  if (!knowsReusePort(version)) {
    refuse('reusePort', true, `Node.js ${version} cannot do that, 22.12 and later can; give each app thread a port of its own by options.ports`);
  }
}

function refuse(name, value, why) {
  throw new ClutchError('ERR_CLUTCH_OPTION', `options.${name} is not possible with startMode 'worker_threads' (got ${show(value)}); ${why}`);
}

/**
 * @param {object} given without empty fields
 * @param {number | undefined} debugPort
 * @param {string} [version] of Node
 * @returns {{ startMode: 'process' | 'worker_threads', ports: number[], workers: number | null }} `workers`: how many app threads
 *   there are; null where options.workers says how many workers there are
 */
function parseThreads(given, debugPort, version = process.versions.node) {
  const { startMode = 'process' } = given;
  if (!START_MODES.includes(startMode)) throw bad('options.startMode', startMode, "'process' or 'worker_threads'");
  const ports = parsePorts(given.ports);
  if (startMode === 'process') {
    if (ports.length) {
      throw new ClutchError('ERR_CLUTCH_OPTION',
        `options.ports belongs to startMode 'worker_threads' (got ${show(given.ports)}); give one options.port, all app processes share it`);
    }
    return { startMode, ports, workers: null };
  }
  for (const [name, [isAskedFor, why]] of Object.entries(NOT_WITH_THREADS)) {
    if (Object.hasOwn(given, name) && isAskedFor(given[name])) refuse(name, given[name], why);
  }
  if (given.reusePort) {
    checkReusePort(given, ports, version);
    if (debugPort) refuse('debugPort', debugPort, 'only one of several app threads could listen on it');
    return { startMode, ports, workers: null };
  }
  if (debugPort && ports.length > 1) refuse('debugPort', debugPort, 'only one of several app threads could listen on it');
  if (debugPort && ports.includes(debugPort)) throw bad('options.debugPort', debugPort, 'another port than those in options.ports');
  return { startMode, ports, workers: ports.length || 1 };
}

module.exports = { parseThreads, knowsReusePort };
