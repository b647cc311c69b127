'use strict';
// Where the tools are and how they are run. A tool that .ci/run or a person put into .tmp/tools wins over the PATH.

const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');

const ROOT = path.join(__dirname, '..');
const LOCAL_BIN = path.join(ROOT, '.tmp', 'tools', 'bin');

function find(command) {
  const local = path.join(LOCAL_BIN, command);
  return fs.existsSync(local) ? local : command;
}

/**
 * Runs a command from the project's root with its output shown as it comes.
 * With `keep`, the standard output is also handed back, with `keepErrors` the standard error; with `timeoutMs`, a command that hangs is
 * killed with its group.
 * Resolves to { code, signal, output, timedOut } and never rejects: a command that cannot be started has code 127.
 */
function run(command, args, { env, keep = false, keepErrors = false, timeoutMs } = {}) {
  return new Promise(resolve => {
    const child = spawn(find(command), args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', keep ? 'pipe' : 'inherit', keepErrors ? 'pipe' : 'inherit'],
      // Its own group, so that a runner that hangs is killed with everything that it started.
      detached: timeoutMs !== undefined,
    });
    let output = '';
    let timedOut = false;
    for (const stream of ['stdout', 'stderr']) {
      child[stream]?.on('data', chunk => {
        output += chunk;
        process[stream].write(chunk);
      });
    }
    const watchdog = timeoutMs && setTimeout(() => {
      timedOut = true;
      process.kill(-child.pid, 'SIGKILL');
    }, timeoutMs);
    // A terminal's Ctrl-C does not reach another process group.
    const interrupt = () => process.kill(-child.pid, 'SIGKILL');
    if (timeoutMs) process.once('SIGINT', interrupt);
    const settle = ended => {
      clearTimeout(watchdog);
      process.removeListener('SIGINT', interrupt);
      resolve({ ...ended, output, timedOut });
    };
    child.on('error', error => {
      process.stderr.write(`${command}: ${error.message}\n`);
      settle({ code: 127, signal: null });
    });
    child.on('close', (code, signal) => settle({ code, signal }));
  });
}

module.exports = { ROOT, find, run };
