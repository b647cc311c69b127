'use strict';

// A cluster that goes to the background: started, waited for, let go; or ended again where it does not get ready.

const fs = require('fs');
const path = require('path');
const { spawn } = require('child_process');

const { CommandError } = require('./failures');

const LOOK_EVERY_MS = 200;
const END_LIMIT_MS = 10000;
const SHOWN_LINES = 100;

/** .20150602.193100, of the start that pushes the old file aside. */
function stamp(date) {
  const [, day, time] = /^(.+)T(.+)\..*$/.exec(new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString());
  return `.${day.replaceAll('-', '')}.${time.replaceAll(':', '')}`;
}

/** A fresh file by this name; what lay there is kept beside it. */
function openLog(file) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  if (fs.existsSync(file)) fs.renameSync(file, file + stamp(new Date()));
  return fs.openSync(file, 'a');
}

function hasErrors(file) {
  return (fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** The first and the last lines of a file. */
function excerpt(file) {
  const lines = fs.readFileSync(file, 'utf8').trimEnd().split('\n');
  if (lines.length <= 2 * SHOWN_LINES) return lines.join('\n');
  return [...lines.slice(0, SHOWN_LINES), '...', ...lines.slice(-SHOWN_LINES)].join('\n');
}

/** Resolves to { data } of egg-ready, or to { problem }. */
function outcome(child, { stderr, timeoutMs, ignoreStderr, interrupted }) {
  return new Promise(resolve => {
    const timers = [setTimeout(() => settle({ problem: `Start failed, ${timeoutMs / 1000}s timeout` }), timeoutMs)];
    if (!ignoreStderr) timers.push(setInterval(() => hasErrors(stderr) && settle({ problem: 'errors' }), LOOK_EVERY_MS));
    const settle = found => {
      timers.forEach(clearTimeout);
      resolve(found);
    };
    child.on('message', message => message?.action === 'egg-ready' && settle({ data: message.data }));
    child.once('error', error => settle({ problem: `${child.spawnfile} cannot be run: ${error.message}` }));
    child.once('exit', (code, signal) => settle({ problem: signal ? `the master was killed by ${signal}` : `the master ended with code ${code}` }));
    interrupted.then(signal => settle({ problem: `interrupted by ${signal}` }));
  });
}

function hasEnded({ exitCode, signalCode, pid }) {
  return pid === undefined || exitCode !== null || signalCode !== null;
}

async function end(child) {
  if (hasEnded(child)) return;
  const gone = new Promise(resolve => { child.once('exit', resolve); });
  child.kill('SIGTERM');
  const watchdog = setTimeout(() => child.kill('SIGKILL'), END_LIMIT_MS);
  await gone;
  clearTimeout(watchdog);
}

function failure(problem, { stdout, stderr }) {
  const lines = hasErrors(stderr)
    ? ['Got error when startup: ', excerpt(stderr), `Start got error, see ${stderr}`, 'Or use `--ignore-stderr` to ignore stderr at startup.']
    : [`its output is in ${stdout}`];
  return new CommandError([...(problem === 'errors' ? [] : [problem]), ...lines].join('\n'), { code: 'ERR_CLUTCH_BOOT' });
}

/**
 * Resolves to { pid, ...data of egg-ready } when the cluster is ready and goes on by itself.
 * @param {{ node: string, args: string[], env: object, logs: { stdout: string, stderr: string }, timeoutMs: number }} plan see startOptions
 * @param {{ cwd: string, ignoreStderr: boolean, interrupted: Promise<string> }} settings
 */
async function startDaemon({ node, args, env, logs, timeoutMs }, { cwd, ignoreStderr, interrupted }) {
  const [stdout, stderr] = [openLog(logs.stdout), openLog(logs.stderr)];
  const child = spawn(node, args, { cwd, env, detached: true, stdio: ['ignore', stdout, stderr, 'ipc'] });
  for (const fd of [stdout, stderr]) fs.closeSync(fd);
  const { data, problem } = await outcome(child, { stderr: logs.stderr, timeoutMs, ignoreStderr, interrupted });
  if (problem) {
    await end(child);
    throw failure(problem, logs);
  }
  child.unref();
  child.disconnect();
  return { pid: child.pid, ...data };
}

module.exports = { startDaemon };
