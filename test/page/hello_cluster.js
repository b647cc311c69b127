'use strict';
// examples/hello as a process, started by its own script on a free port.

const net = require('node:net');
const path = require('node:path');
const { once } = require('node:events');
const { spawn } = require('node:child_process');

const START = path.join(__dirname, '..', '..', 'examples', 'hello', 'start.js');
const WORKERS = 3;

const running = new Set();

function run(env) {
  const child = spawn(process.execPath, [START], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.once('close', () => running.delete(child));
  const chunks = [];
  const watchers = new Set();
  const take = chunk => {
    chunks.push(chunk);
    for (const watcher of watchers) watcher();
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  return { child, watchers, output: () => Buffer.concat(chunks).toString() };
}

async function startHello() {
  const port = await freePort();
  const { child, watchers, output } = run({ PORT: String(port), WORKERS: String(WORKERS) });
  const url = await new Promise((resolve, reject) => {
    watchers.add(() => {
      const found = /Open (http:\S+)/.exec(output());
      if (found) resolve(found[1]);
    });
    child.once('close', code => reject(new Error(`start.js ended with code ${code}:\n${output()}`)));
  });
  return { child, url };
}

/** Ends whatever is still there, also where a test failed half-way. */
async function stopAll() {
  await Promise.all([...running].map(child => {
    // The pipes are closed when the last process that writes to them is gone, not only the master.
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    const watchdog = setTimeout(() => child.kill('SIGKILL'), 20000);
    return closed.finally(() => clearTimeout(watchdog));
  }));
}

async function freePort() {
  const server = net.createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

module.exports = { WORKERS, run, startHello, stopAll };
