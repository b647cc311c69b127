'use strict';

// The verbs against a control socket with nobody behind it: what is asked, what is printed, and the exit code.

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { command } = require('./support/command');
const { fakeControl, answer, STATUS } = require('./support/fake_control');

let control;
afterEach(() => control.close());

const say = (argv, settings) => command(argv, { cwd: control.baseDir, ...settings });

const ORDERS = [
  [['reload'], 'POST /reload {}', { workers: 2, agent: false }, 'reloaded 2 workers\n'],
  [['reload', '--agent'], 'POST /reload {"agent":true}', { workers: 1, agent: true }, 'reloaded 1 worker and the agent\n'],
  [['upgrade'], 'POST /upgrade {}', { pid: 77 }, 'upgraded: the master is 77 now\n'],
  [['scale', '5'], 'POST /scale {"workers":5}', { workers: 5 }, '5 workers\n'],
  [['restart', '3'], 'POST /restart {"id":3}', {}, 'worker 3 has a successor\n'],
  [['restart', 'agent'], 'POST /restart {"id":"agent"}', {}, 'the agent has a successor\n'],
  [['isolate', '3'], 'POST /isolate {"id":3}', {}, 'worker 3 gets no more connections; `egg-clutch rejoin 3` ends that\n'],
  [['rejoin', '3'], 'POST /rejoin {"id":3}', {}, 'worker 3 gets connections again\n'],
  [['stack', 'agent'], 'POST /stack {"id":"agent"}', { stack: 'at spin (app.js:1)' }, 'at spin (app.js:1)\n'],
  [['stack', '3'], 'POST /stack {"id":3}', { stack: null }, 'worker 3 runs no JavaScript at the moment: it is idle, or blocked outside of it\n'],
];

test.each(ORDERS)('%p asks for %s', async (argv, asked, body, printed) => {
  control = await fakeControl({ [asked.split(' {')[0]]: { body } });
  expect(await say(argv)).toMatchObject({ code: 0, stdout: printed, stderr: '' });
  expect(control.asked).toEqual([asked]);
  expect((await say([...argv, '--json'])).json()).toEqual(body);
});

test.each(ORDERS)('%p tells what the cluster refused, with exit code 1', async (argv, asked) => {
  const error = { code: 'ERR_CLUTCH_RELOAD', message: 'the new worker ended with code 7' };
  control = await fakeControl({ [asked.split(' {')[0]]: { status: 409, body: { error } } });
  expect(await say(argv)).toMatchObject({ code: 1, stdout: '', stderr: `egg-clutch: ${error.message}\n` });
  const asJson = await say([...argv, '--json']);
  expect(asJson).toMatchObject({ code: 1, stderr: '' });
  expect(asJson.json()).toEqual({ error });
});

test.each([...ORDERS.map(([argv]) => [argv]), [['status']], [['stop']], [['logs']], [['soak-reload']]])('%p finds no cluster: exit code 3', async argv => {
  control = await fakeControl();
  const { code, stdout, stderr } = await say([...argv, '--control', 'run/nobody.sock']);
  expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
  const socket = path.join(control.baseDir, 'run', 'nobody.sock');
  expect(stderr).toBe(`egg-clutch: there is no cluster for ${socket}: nobody answers on ${socket}\n`);
  expect((await say([...argv, '--control', 'run/nobody.sock', '--json']).catch(() => null))?.code).toBe(argv[0] === 'logs' ? 2 : 3);
});

test.each([['scale', '0'], ['scale', '1025'], ['scale', 'many'], ['restart', 'x'], ['isolate', 'agent'], ['reload', '--timeout=soon']])('%p %p is wrong usage, and nobody is asked', async (...argv) => {
  control = await fakeControl();
  expect((await say(argv)).code).toBe(2);
  expect(control.asked).toEqual([]);
});

test('status is printed for people, and as it came', async () => {
  control = await fakeControl();
  expect((await say(['status'])).stdout).toContain('2 of 2 serve');
  expect((await say(['status', '--json'])).json()).toEqual(STATUS);
  expect((await say(['status', control.baseDir], { cwd: '/' })).code).toBe(0);
});

test('colours are for a terminal that wants them', async () => {
  control = await fakeControl();
  expect((await say(['status'], { isTTY: true })).stdout).toContain('\x1b[32mready\x1b[0m');
  expect((await say(['status'], { isTTY: true, env: { NO_COLOR: '1' } })).stdout).not.toContain('\x1b');
});

test('a terminal is told meanwhile what is waited for, and nothing else is', async () => {
  control = await fakeControl({ 'POST /reload': { body: { workers: 2, agent: false } } });
  const { stdout, stderr } = await say(['reload'], { isTTY: true });
  expect(stderr).toMatch(/reload 0\.\d s/);
  expect(stderr.endsWith('\r\x1b[2K')).toBe(true);
  expect(stdout).toBe('reloaded 2 workers\n');
});

test('a cluster that does not answer is not waited for beyond the time-out', async () => {
  control = await fakeControl({ 'POST /reload': () => {} });
  expect(await say(['reload', '--timeout', '50'])).toMatchObject({ code: 1, stderr: 'egg-clutch: the cluster did not answer /reload within 50 ms\n' });
});

test.each([
  ['what is no JSON', (_body, response) => answer(response, 200, 'hello'), 'answered with what is no JSON: hello'],
  ['another version', (_body, response) => answer(response, 200, { version: 2 }), 'the cluster speaks version 2 of the status'],
  ['half an answer', (_body, response) => { response.writeHead(200, { 'content-length': 100 }); response.write('{'); response.socket.end(); }, 'was gone before it had answered'],
])('%s is a clear error', async (_name, status, message) => {
  control = await fakeControl({ 'GET /status': status });
  const { code, stderr } = await say(['status']);
  expect(code).toBe(1);
  expect(stderr).toContain(message);
});

test('a socket whose path is too long for connect(2) is reached all the same', async () => {
  control = await fakeControl();
  const deep = path.join(control.baseDir, 'a'.repeat(60), 'b'.repeat(60));
  fs.mkdirSync(deep, { recursive: true });
  const socket = path.join(deep, 'clutch.sock');
  fs.linkSync(control.socket, socket);
  expect((await say(['status', '--control', socket])).code).toBe(0);
});

test('a pid file leads to the socket beside it, and one of nobody to exit code 3', async () => {
  control = await fakeControl();
  const pidFile = path.join(control.baseDir, 'run', 'clutch.pid');
  fs.writeFileSync(pidFile, String(process.pid));
  expect((await say(['status', '--pid-file', pidFile])).code).toBe(0);
  expect((await say(['status', '--pid-file', 'nowhere.pid'])).code).toBe(3);
});

test('a pid file does not lead to the socket of another cluster that lies beside it', async () => {
  control = await fakeControl({ 'GET /status': { body: { ...STATUS, pid: 1 } }, 'POST /reload': { body: { workers: 2 } } });
  const pidFile = path.join(control.baseDir, 'run', 'clutch.pid');
  fs.writeFileSync(pidFile, String(process.pid));
  for (const argv of [['status'], ['reload'], ['scale', '3']]) {
    const { code, stderr } = await say([...argv, '--pid-file', pidFile]);
    expect(code).toBe(3);
    expect(stderr).toBe(`egg-clutch: the master ${process.pid} that ${pidFile} names has no control socket that could be found: name one by --control\n`);
  }
  expect(control.asked).toEqual(['GET /status', 'GET /status', 'GET /status']);
});

test('a master of another user is named as such, where it is stopped by its pid file and where its files are looked for', async () => {
  control = await fakeControl();
  const pidFile = path.join(control.baseDir, 'run', 'other.pid');
  fs.writeFileSync(pidFile, String(process.pid));
  const refuse = code => () => { throw Object.assign(new Error(code), { code }); };
  const kill = jest.spyOn(process, 'kill').mockImplementation(refuse('EPERM'));
  const words = `egg-clutch: the master ${process.pid} belongs to another user: run this as the user of the cluster\n`;
  expect(await say(['stop', '--pid-file', pidFile])).toMatchObject({ code: 1, stderr: words });
  kill.mockRestore();
  const { statSync } = fs;
  const stat = jest.spyOn(fs, 'statSync').mockImplementation((file, ...more) => (/^.proc.\d+.fd/.test(file) ? refuse('EACCES')() : statSync(file, ...more)));
  expect(await say(['logs', '--pid-file', pidFile])).toMatchObject({ code: 1, stderr: words });
  stat.mockRestore();
});

test('a master that takes no more connections is not called gone', async () => {
  control = await fakeControl();
  const socket = path.join(control.baseDir, 'run', 'full.sock');
  const script = `require('net').createServer().listen({ path: ${JSON.stringify(socket)}, backlog: 1 }, () => { console.log(); process.kill(process.pid, 'SIGSTOP'); })`;
  const master = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const waiting = [];
  try {
    await once(master.stdout, 'data');
    // The kernel lets one more wait than was asked for, or two.
    for (let left = 8; left > 0; left--) {
      const client = net.connect(socket);
      waiting.push(client);
      const isFull = await new Promise(resolve => { client.once('connect', () => resolve(false)).once('error', () => resolve(true)); });
      if (isFull) break;
    }
    const { code, stderr } = await say(['status', '--control', socket]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: `egg-clutch: too many wait to be heard at ${socket} already\n` });
  } finally {
    for (const client of waiting) client.destroy();
    master.kill('SIGKILL');
    await once(master, 'exit');
  }
});

test('a pid file that is older than the process with its pid names nobody', async () => {
  control = await fakeControl();
  const pidFile = path.join(control.baseDir, 'run', 'old.pid');
  fs.writeFileSync(pidFile, String(process.pid));
  fs.utimesSync(pidFile, 1, 1);
  const { code, stderr } = await say(['stop', '--pid-file', pidFile, '--control', 'run/nobody.sock']);
  expect(code).toBe(3);
  expect(stderr).toContain('there is no cluster');
});
