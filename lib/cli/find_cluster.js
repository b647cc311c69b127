'use strict';

// Which cluster is meant: by its control socket, its folder, or its pid file. Processes are never searched for.

const fs = require('fs');
const path = require('path');

const { CommandError } = require('./failures');

const SOCKET = path.join('run', 'clutch.sock');
// proc(5): starttime is in these, and Linux shows 100 of them a second to programs on every platform.
const TICKS_PER_SECOND = 100;
// A master writes its pid file at its start; clocks of files and of processes differ by some ticks.
const SLACK_MS = 2000;

function pidFileBeside(socket) {
  return socket.endsWith('.sock') ? `${socket.slice(0, -'.sock'.length)}.pid` : `${socket}.pid`;
}

/**
 * @param {{ control?: string, 'pid-file'?: string, 'base-dir'?: string }} flags
 * @param {string} cwd
 * @returns {{ socket: string | null, pidFile: string, name: string }} absolute paths; the socket is null where a pid file alone is named
 */
function locate(flags, cwd) {
  const baseDir = path.resolve(cwd, flags['base-dir'] ?? '');
  const pidFile = flags['pid-file'] && path.resolve(cwd, flags['pid-file']);
  if (flags.control) {
    const socket = path.resolve(cwd, flags.control);
    return { socket, pidFile: pidFile ?? pidFileBeside(socket), name: socket };
  }
  if (pidFile && !flags['base-dir']) return { socket: null, pidFile, name: pidFile };
  const socket = path.join(baseDir, SOCKET);
  return { socket, pidFile: pidFile ?? pidFileBeside(socket), name: baseDir };
}

/** { pid, startTime, state } of a living process, or null. */
function lookAt(pid) {
  let stat;
  try {
    stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? null : { pid, startTime: Number(fields[19]) };
}

function isGone({ pid, startTime }) {
  return lookAt(pid)?.startTime !== startTime;
}

function bootTimeMs() {
  return Number(/^btime (\d+)/m.exec(fs.readFileSync('/proc/stat', 'utf8'))[1]) * 1000;
}

/** The living process that wrote this pid file, or null: a process that began after the file was written got the pid later. */
function processOf(pidFile) {
  let text;
  let written;
  try {
    text = fs.readFileSync(pidFile, 'utf8').trim();
    written = fs.statSync(pidFile).mtimeMs;
  } catch {
    return null;
  }
  if (!/^\d+$/.test(text)) return null;
  const found = lookAt(Number(text));
  if (!found) return null;
  const began = bootTimeMs() + found.startTime * 1000 / TICKS_PER_SECOND;
  return began <= written + SLACK_MS ? found : null;
}

/** The socket of the cluster that a pid file names is where its master runs: below the folder that it was started for. */
function socketByPidFile(pidFile) {
  const beside = path.join(path.dirname(pidFile), `${path.basename(pidFile).replace(/\.pid$/, '')}.sock`);
  const candidates = [beside];
  const master = processOf(pidFile);
  if (master) candidates.push(...socketsOf(master.pid));
  return candidates.find(file => fs.statSync(file, { throwIfNoEntry: false })?.isSocket()) ?? null;
}

/** The control socket stands in the options of a process that was started by a tool, as JSON on its command line. */
function socketsOf(pid) {
  try {
    const argv = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const options = JSON.parse(argv.find(argument => argument.startsWith('{')));
    const baseDir = options.baseDir ?? fs.readlinkSync(`/proc/${pid}/cwd`);
    return [path.resolve(baseDir, typeof options.control === 'string' ? options.control : SOCKET)];
  } catch {
    return [];
  }
}

function noCluster({ name, socket, pidFile }, cause) {
  const master = socket ? null : processOf(pidFile);
  const looked = socket ? `nobody answers on ${socket}` : `${pidFile} names no process that runs`;
  return CommandError.noCluster(master
    ? `the master ${master.pid} that ${pidFile} names has no control socket that could be found: name one by --control`
    : `there is no cluster for ${name}: ${looked}`, cause);
}

module.exports = { locate, processOf, socketByPidFile, lookAt, isGone, noCluster };
