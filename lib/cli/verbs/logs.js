'use strict';

const fs = require('fs');
const path = require('path');

const { ControlClient } = require('../control_client');
const { EXIT, CommandError } = require('../failures');
const { locate, processOf, noCluster } = require('../find_cluster');
const { Follower } = require('../follow');
const { whole } = require('../values');

const LINES = '20';
const MAX_LINES = 1e6;

async function findMaster(cluster) {
  try {
    return (await new ControlClient(cluster).status()).pid;
  } catch (error) {
    return processOf(cluster.pidFile)?.pid ?? null;
  }
}

/** The file that a process writes to by this descriptor, or null. */
function fileOf(pid, descriptor) {
  try {
    const link = `/proc/${pid}/fd/${descriptor}`;
    return fs.statSync(link).isFile() ? fs.readlinkSync(link).replace(/ \(deleted\)$/, '') : null;
  } catch (error) {
    if (error.code === 'EACCES') throw CommandError.otherUser(`the master ${pid}`, error);
    return null;
  }
}

/** { stdout, stderr }: what is named, else what the master writes to, else where a daemon that is told nothing would have written. */
async function filesOf({ flags }, { cwd, env }) {
  const named = { stdout: flags.stdout && path.resolve(cwd, flags.stdout), stderr: flags.stderr && path.resolve(cwd, flags.stderr) };
  if (named.stdout || named.stderr) return named;
  const cluster = locate(flags, cwd);
  const pid = await findMaster(cluster);
  if (pid) {
    const files = { stdout: fileOf(pid, 1), stderr: fileOf(pid, 2) };
    if (files.stdout || files.stderr) return files;
    throw new CommandError(`the master ${pid} writes to no file that could be followed: it was not started with --daemon; name one by --stdout`);
  }
  const meant = flags.control || flags['pid-file'] || flags['base-dir'];
  const usual = ['stdout', 'stderr'].map(name => path.join(env.HOME ?? '/', 'logs', `master-${name}.log`));
  if (meant || !fs.existsSync(usual[0])) throw noCluster(cluster);
  return { stdout: usual[0], stderr: usual[1] };
}

/** `egg-clutch logs` */
async function logs(command, io) {
  const { flags } = command;
  const lines = whole('--lines', flags.lines ?? LINES, { min: 0, max: MAX_LINES });
  const files = await filesOf(command, io);
  const followers = [];
  for (const [name, file] of Object.entries(files)) {
    if (!file || (name === 'stderr' && file === files.stdout)) continue;
    const follower = new Follower(file, bytes => io[name].write(bytes));
    const isThere = await follower.begin(lines);
    if (!isThere && flags['no-follow'] && name === 'stdout') throw new CommandError(`there is no file ${file}`);
    followers.push(follower);
  }
  if (!flags['no-follow']) {
    for (const follower of followers) follower.follow();
    await new Promise(resolve => {
      for (const signal of ['SIGINT', 'SIGTERM']) io.proc.once(signal, resolve);
    });
  }
  for (const follower of followers) await follower.end();
  return EXIT.done;
}

module.exports = { logs };
