'use strict';

// How many system calls a message costs while its receiver is awake, as strace(1) counts them at both ends.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { runFolder } = require('../../test/helpers/run_folder');
const { short } = require('./arithmetic');

const COUNT = 40000;
// What messages need, if they need any; the rest is the engine's own.
const CALLS = ['write', 'writev', 'sendmsg', 'read', 'recvmsg', 'epoll_wait', 'epoll_pwait'];

function attach(pid, file) {
  const child = spawn('strace', ['-c', '-f', '-e', `trace=${CALLS.join(',')}`, '-o', file, '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  const attached = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.stderr.on('data', text => /attached/.test(text) && resolve());
    child.once('exit', code => reject(new Error(`strace ended with ${code}`)));
  });
  const stop = () => new Promise(resolve => {
    child.once('exit', resolve);
    child.kill('SIGINT');
  });
  return { attached, stop };
}

function callsIn(file) {
  const lines = fs.readFileSync(file, 'utf8').split('\n').map(line => line.trim().split(/\s+/));
  return lines.filter(cells => CALLS.includes(cells.at(-1))).reduce((sum, cells) => sum + Number(cells[3]), 0);
}

/** Resolves to a line. */
async function syscalls(runner) {
  const cells = [];
  for (const layer of ['stock', 'ours']) {
    const subject = await runner.subject(layer, 1);
    const order = { op: 'fanout', shape: 'str', bytes: 64, count: COUNT };
    await subject.order(order);
    const roles = [['sender', subject.pids.agent[0]], ['receiver', subject.pids.apps[0]]];
    for (const [role, pid] of roles) {
      const file = path.join(runFolder(), `strace-${layer}-${role}`);
      const trace = attach(pid, file);
      await trace.attached;
      await subject.order(order);
      await trace.stop();
      cells.push(`${layer} ${role} ${short(callsIn(file) / COUNT)}`);
    }
  }
  return `system calls a message, agent→1 app, ${COUNT} strings of 64 B without a pause: ${cells.join(', ')}`;
}

module.exports = { syscalls };
