'use strict';

const fs = require('fs');
const path = require('path');
const { spawn } = require('child_process');

const { findFramework } = require('../../framework_path');
const { ControlClient } = require('../control_client');
const { startDaemon } = require('../daemon');
const { EXIT, CommandError } = require('../failures');
const { locate, processOf } = require('../find_cluster');
const { withProgress } = require('../progress');
const { startOptions } = require('../start_options');

const STOP_SIGNALS = ['SIGINT', 'SIGQUIT', 'SIGTERM'];
// Without a terminal these are orders: a reload, one worker more, one less.
const ORDER_SIGNALS = ['SIGTTIN', 'SIGTTOU'];

function readPackage(baseDir) {
  const file = path.join(baseDir, 'package.json');
  if (!fs.existsSync(file)) return {};
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8').replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new CommandError(`${file} is no JSON: ${cause.message}`, { code: 'ERR_CLUTCH_OPTION', cause });
  }
}

function frameworkName(dir) {
  return readPackage(dir).name ?? path.basename(dir);
}

function planOf({ operands: [given], flags, nodeFlags }, { env, cwd }) {
  const baseDir = path.resolve(cwd, given ?? '');
  if (!fs.statSync(baseDir, { throwIfNoEntry: false })?.isDirectory()) throw CommandError.usage(`baseDir must be a folder, got ${baseDir}`);
  const findFrom = name => findFramework(baseDir, name);
  return startOptions({ flags, nodeFlags, pkg: readPackage(baseDir), env, baseDir, cwd, findFramework: findFrom });
}

/** What a terminal or a service manager sends goes on to the master, which leads a session of its own: it hears all of it once. */
function handOn(proc, child, onTerminal) {
  const hand = (signal, as = signal) => {
    const listener = () => child.kill(as);
    proc.on(signal, listener);
    return [signal, listener];
  };
  return [
    ...STOP_SIGNALS.map(signal => hand(signal)),
    hand('SIGHUP', onTerminal ? 'SIGTERM' : 'SIGHUP'),
    ...(onTerminal ? [] : ORDER_SIGNALS.map(signal => hand(signal))),
  ];
}

function inForeground({ node, args, env }, { cwd, proc, stdin, stdout }) {
  return new Promise((resolve, reject) => {
    // By the variable the master knows that no other can take its place: this command ends with it.
    const variables = { ...env, EGG_CLUTCH_FOREGROUND: String(proc.pid) };
    const child = spawn(node, [...args, '--with-parent'], { cwd, env: variables, detached: true, stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
    const listeners = handOn(proc, child, Boolean(stdin.isTTY || stdout.isTTY));
    const settle = (act, value) => {
      for (const [signal, listener] of listeners) proc.removeListener(signal, listener);
      act(value);
    };
    child.once('error', cause => settle(reject, new CommandError(`${node} cannot be run: ${cause.message}`, { cause })));
    child.once('exit', (code, signal) => {
      if (signal) settle(reject, new CommandError(`the master was killed by ${signal}`));
      else settle(resolve, code);
    });
  });
}

/** The pid of a master that could not be found any more if there were another one, or undefined. */
async function runsAlready({ flags, options: { baseDir, pidFile, control } }, cwd) {
  const written = processOf(pidFile)?.pid;
  if (written || flags['pid-file'] || control !== undefined) return written;
  const client = new ControlClient(locate({ 'base-dir': baseDir }, cwd));
  return client.status().then(({ pid }) => pid, () => undefined);
}

async function inBackground(plan, name, { json }, { stdout, stderr, cwd, proc }) {
  const other = await runsAlready(plan, cwd);
  if (other) {
    throw new CommandError(`a cluster runs here already, its master is ${other}: stop it first, or give this one a --control of its own`,
      { code: 'ERR_CLUTCH_BOOT' });
  }
  const say = text => json || stdout.write(`[egg-clutch] ${text}\n`);
  say(`Save log file to ${[...new Set([plan.logs.stdout, plan.logs.stderr].map(file => path.dirname(file)))].join(', ')}`);
  let interrupt;
  const interrupted = new Promise(resolve => { interrupt = resolve; });
  const listeners = STOP_SIGNALS.map(signal => [signal, () => interrupt(signal)]);
  for (const [signal, listener] of listeners) proc.on(signal, listener);
  const ignoreStderr = plan.flags['ignore-stderr'] === true;
  try {
    const ready = await withProgress(stderr, 'starting', () => startDaemon(plan, { cwd, ignoreStderr, interrupted }));
    say(`${name} started on ${ready.address}`);
    if (json) stdout.write(`${JSON.stringify({ pid: ready.pid, address: ready.address, stdout: plan.logs.stdout, stderr: plan.logs.stderr })}\n`);
    return EXIT.done;
  } finally {
    for (const [signal, listener] of listeners) proc.removeListener(signal, listener);
  }
}

/** `egg-clutch start [baseDir]` */
async function start(command, io) {
  const plan = planOf(command, io);
  const name = frameworkName(plan.options.framework);
  if (!command.flags.json) io.stdout.write(`[egg-clutch] Starting ${name} application at ${plan.options.baseDir}\n`);
  if (plan.flags.daemon) return inBackground(plan, name, command.flags, io);
  if (command.flags.json) throw CommandError.usage('--json goes with --daemon: in the foreground the cluster itself prints');
  return inForeground(plan, io);
}

module.exports = { start };
