'use strict';

const { setImmediate: nextTurn } = require('timers/promises');
const path = require('path');

const { Master } = require('..');
const { loadNative } = require('../lib/master/native');
const { MAX_WAITING } = require('../lib/master/endpoint');
const { appDir, removeAll, ROOT } = require('./support/app_dir');
const { FakeCluster, parts } = require('./support/fake_native');

let egg3;
let egg4;
beforeAll(() => {
  egg3 = appDir();
  egg4 = appDir({ stock: '@eggjs/cluster' });
});
afterAll(removeAll);

/** Starts a master on the fake addon, up to the moment where it has forked. */
async function boot(options, given = parts()) {
  const master = new Master({ baseDir: egg3, workers: 2, ...options }, given);
  const ready = master.ready();
  ready.catch(() => {});
  while (!FakeCluster.last?.of('start').length) await Promise.race([nextTurn(), ready]);
  return { master, ready, native: FakeCluster.last, proc: given.proc, parts: given };
}

async function booted(options, given) {
  const running = await boot(options, given);
  running.native.event({ type: 'ready', port: 7001, address: 'http://127.0.0.1:7001', protocol: 'http' });
  return { ...running, cluster: await running.ready };
}

describe('what the native half gets', () => {
  test('by default', async () => {
    const env = { PATH: '/bin', EGG_X: 'a=b' };
    const { native, master } = await boot({ port: 7001, foo: 1 }, parts({ env }));
    const { optionsJson, ...config } = native.config;
    expect(config).toEqual({
      execPath: '/usr/bin/node', execArgv: ['--no-warnings'],
      agentScript: path.join(ROOT, 'lib/agent_worker.js'), appScript: path.join(ROOT, 'lib/app_worker.js'),
      env: ['PATH=/bin', 'EGG_X=a=b'], workers: 2, frameworkName: 'egg', production: false, quiet: false, logLevel: 'INFO', isDebug: false,
      agentInspectPort: 5800, inspectPort: 9229, port: 7001, protocol: 'http', sticky: false, balance: 'round-robin',
      appCloseTimeoutMs: 5000, agentCloseTimeoutMs: 5000, announceAgentPid: false,
    });
    expect(JSON.parse(optionsJson)).toMatchObject({ baseDir: egg3, workers: 2, port: 7001, foo: 1, clusterPort: 4001, startMode: 'process' });
    expect(JSON.parse(optionsJson)).toEqual(JSON.parse(JSON.stringify(master.options)));
  });

  test('from options and environment', async () => {
    const env = { HOST: 'h', EGG_MASTER_LOGGER_LEVEL: 'DEBUG', EGG_APP_CLOSE_TIMEOUT: '1', EGG_AGENT_CLOSE_TIMEOUT: '2', EGG_AGENT_DEBUG_PORT: '3' };
    const pidFile = path.join(egg4, 'run/pid');
    const { native } = await boot({ baseDir: egg4, env: 'prod', isDebug: true, debugPort: 7002, pidFile }, parts({ env }));
    expect(native.config).toMatchObject({
      production: true, isDebug: true, debugPort: 7002, pidFile, host: 'h', logLevel: 'DEBUG', appCloseTimeoutMs: 1, agentCloseTimeoutMs: 2,
      agentInspectPort: 3, announceAgentPid: true,
    });
  });

  test('options that no command line can hold are refused with the name of the largest', async () => {
    const given = parts();
    await expect(new Master({ baseDir: egg3, workers: 1, blob: 'x'.repeat(200_000) }, given).ready()).rejects.toMatchObject({
      code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(/131071.*options\.blob alone has 200002/),
    });
    expect(FakeCluster.last).toBe(null);
  });

  test('the port for cluster-client keeps off the ports of the app', async () => {
    const asked = [];
    const given = { ...parts(), findFreePort: async options => { asked.push(options); return 1; } };
    await boot({ port: 7001, debugPort: 7002 }, given);
    expect(asked).toEqual([{ except: [7001, 7002] }]);
  });
});

describe('the first lines', () => {
  const lines = native => native.of('log');
  const options = native => {
    const { clusterPort, ...rest } = JSON.parse(native.config.optionsJson);
    expect(clusterPort).toBe(4001);
    return rest;
  };

  test('come before the start, at INFO', async () => {
    const { native } = await boot({ env: 'unittest' }, parts({ env: { NODE_ENV: 'test' } }));
    expect(native.calls.at(-1)).toEqual(['start']);
    expect(lines(native)).toEqual([
      ['info', '[master] =================== egg start ====================='],
      ['info', `[master] node version ${process.version}`],
      ['info', '[master] egg version 9.8.7'],
      ['info', `[master] start with options: ${JSON.stringify(options(native))}`],
      ['info', '[master] start with env: isProduction: false, EGG_SERVER_ENV: unittest, NODE_ENV: test'],
    ]);
  });

  test('show the options over several lines in production', async () => {
    const { native } = await boot({ env: 'prod' });
    expect(lines(native)[3]).toEqual(['info', `[master] start with options:\n${JSON.stringify(options(native), null, 2)}`]);
    expect(lines(native)[4]).toEqual(['info', '[master] start with env: isProduction: true, EGG_SERVER_ENV: prod, NODE_ENV: undefined']);
  });

  test('are for developers at DEBUG in env local', async () => {
    const { native } = await boot({ env: 'local' });
    expect(lines(native).map(([level]) => level)).toEqual(['debug', 'info', 'info', 'debug', 'debug']);
  });

  test('have the eggs of egg 4', async () => {
    const { native } = await boot({ baseDir: egg4 });
    expect(lines(native)[0]).toEqual(['info', '[master] =================== egg start 🥚🥚🥚🥚 =====================']);
  });

  test('say how the number of workers was found where it was not given', async () => {
    const { native, master } = await boot({ workers: 0 });
    expect(lines(native).at(-1)[1]).toMatch(new RegExp(`^\\[master\\] workers: ${master.options.workers} by default \\(\\d+ CPUs to run on, .+\\)$`));
  });
});

describe('readiness', () => {
  test('resolves with the cluster', async () => {
    const { cluster } = await booted();
    expect(cluster.address).toBe('http://127.0.0.1:7001');
    expect(cluster.pid).toBe(4711);
    expect(cluster.status()).toEqual({ pid: 1, ready: true, workers: [] });
  });

  test('calls the callback once, with null', async () => {
    const given = parts();
    const calls = [];
    const master = new Master({ baseDir: egg3, workers: 1 }, given);
    const ready = master.ready((...args) => calls.push(args));
    while (!FakeCluster.last?.of('start').length) await nextTurn();
    expect(calls).toEqual([]);
    FakeCluster.last.event({ type: 'ready', address: 'a' });
    FakeCluster.last.event({ type: 'ready', address: 'b' });
    await ready;
    expect(calls).toEqual([[null]]);
  });

  test('a callback given later is called too', async () => {
    const { master } = await booted();
    await new Promise((resolve, reject) => { master.ready(error => (error ? reject(error) : resolve())); });
  });

  test('an exit before it goes to callback and promise, then the process leaves with the code', async () => {
    const given = parts();
    const master = new Master({ baseDir: egg3, workers: 1 }, given);
    const calls = [];
    const ready = master.ready(error => calls.push([error.code, given.proc.exits.length]));
    while (!FakeCluster.last?.of('start').length) await nextTurn();
    FakeCluster.last.event({ type: 'exit', code: 1 });
    expect(calls).toEqual([['ERR_CLUTCH_BOOT', 0]]);
    expect(given.proc.exits).toEqual([1]);
    await expect(ready).rejects.toThrow('exits with code 1');
  });

  test('a bad option rejects and is given to the callback', async () => {
    const calls = [];
    const ready = new Master({ baseDir: egg3, port: 'x' }, parts()).ready(error => calls.push(error.code));
    await expect(ready).rejects.toMatchObject({ code: 'ERR_CLUTCH_OPTION' });
    expect(calls).toEqual(['ERR_CLUTCH_OPTION']);
  });
});

describe('a start that fails', () => {
  test('in the constructor of the native half leaves nothing behind', async () => {
    const given = parts();
    const cause = Object.assign(new Error('pid file: EACCES'), { code: 'ERR_CLUTCH_SPAWN' });
    FakeCluster.broken = { constructor: cause };
    await expect(new Master({ baseDir: egg3, workers: 1 }, given).ready()).rejects.toMatchObject({ code: 'ERR_CLUTCH_SPAWN', cause });
    expect(given.proc.listeners_()).toEqual({});
  });

  test('in the first fork removes the pid file and every listener, and another start may be tried', async () => {
    const given = parts({ ports: [1, 2] });
    FakeCluster.broken = { start: new Error('EAGAIN') };
    await expect(new Master({ baseDir: egg3, workers: 1 }, given).ready()).rejects.toMatchObject({ code: 'ERR_CLUTCH_SPAWN', message: 'EAGAIN' });
    expect(FakeCluster.last.calls.at(-1)).toEqual(['exiting', 1]);
    expect(given.proc.listeners_()).toEqual({});
    FakeCluster.broken = {};
    FakeCluster.last = null;
    await booted({}, given);
  });

  test('with a framework without package.json names the file', async () => {
    const baseDir = appDir({ files: { 'bare/index.js': 'exports.Application = exports.Agent = class {};' } });
    await expect(new Master({ baseDir, workers: 1, framework: path.join(baseDir, 'bare') }, parts()).ready()).rejects.toMatchObject({
      code: 'ERR_CLUTCH_OPTION', message: expect.stringContaining(path.join(baseDir, 'bare/package.json')),
    });
  });

  test('a second cluster in one process is refused and does not disturb the first', async () => {
    const { proc, parts: given, native } = await booted();
    await expect(new Master({ baseDir: egg3, workers: 1 }, given).ready()).rejects.toMatchObject({
      code: 'ERR_CLUTCH_BOOT', message: expect.stringContaining('already called in this process'),
    });
    expect(FakeCluster.last).toBe(native);
    expect(proc.listeners_()).toEqual({ SIGINT: 1, SIGQUIT: 1, SIGTERM: 1, exit: 1, message: 1 });
  });
});

describe('signals', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGQUIT'])('%s stops the cluster with the lines about memory', async signal => {
    const { native, proc } = await booted();
    proc.emit(signal);
    expect(native.of('stop')).toEqual([[signal, [
      expect.stringMatching(/^\[master\] system memory: total \d+, free \d+$/),
      expect.stringMatching(/^\[master\] process info: heap_limit \d+, heap_used \d+$/),
    ]]]);
    expect(proc.listenerCount(signal)).toBe(0);
  });

  test('another one while closing is ignored', async () => {
    const { native, proc } = await booted();
    proc.emit('SIGTERM');
    proc.emit('SIGINT');
    expect(native.of('stop')).toHaveLength(1);
  });

  test('the end of the native half is the end of the process', async () => {
    const { native, proc } = await booted();
    proc.emit('SIGTERM');
    native.event({ type: 'exit', code: 0 });
    await nextTurn();
    await nextTurn();
    expect(proc.exits).toEqual([0]);
  });

  test("the native half hears of the process's exit", async () => {
    const { native, proc } = await booted();
    proc.emit('exit', 3);
    expect(native.of('exiting')).toEqual([[3]]);
  });
});

describe('Cluster#close', () => {
  test('stops once, resolves when all is gone, and then the process exits', async () => {
    const { native, proc, cluster } = await booted();
    const order = [];
    proc.exit = code => order.push(`exit ${code}`);
    const closed = [cluster.close(), cluster.close()].map(promise => promise.then(() => order.push('closed')));
    await nextTurn();
    expect(native.of('stop')).toEqual([['', []]]);
    expect(order).toEqual([]);
    native.event({ type: 'exit', code: 0 });
    await Promise.all(closed);
    await nextTurn();
    await nextTurn();
    expect(order).toEqual(['closed', 'closed', 'exit 0']);
  });

  test('a signal after it is ignored', async () => {
    const { native, proc, cluster } = await booted();
    cluster.close();
    await nextTurn();
    proc.emit('SIGTERM');
    expect(native.of('stop')).toEqual([['', []]]);
  });
});

describe('the parent', () => {
  test('is sent what the native half has for it', async () => {
    const { native, proc } = await booted();
    proc.connect();
    native.event({ type: 'parent', message: { action: 'egg-ready', data: { port: 7001 } } });
    expect(proc.sent).toEqual([{ action: 'egg-ready', data: { port: 7001 } }]);
  });

  test('may not exist, be gone, or go while it is written to', async () => {
    const { native, proc } = await booted();
    const send = () => native.event({ type: 'parent', message: { action: 'x' } });
    send();
    proc.connect();
    proc.connected = false;
    send();
    expect(proc.sent).toEqual([]);
    proc.connect((_message, _handle, _options, callback) => callback(new Error('EPIPE')));
    send();
    proc.connect(() => { throw new Error('ERR_IPC_CHANNEL_CLOSED'); });
    send();
    expect(proc.exits).toEqual([]);
  });

  test.each([
    [{ action: 'reload-worker' }, { action: 'reload-worker' }], ['hello', { action: 'hello', data: 'hello' }], [{ foo: 1 }, { foo: 1 }],
  ])('sends %p', async (message, text) => {
    const { native, proc } = await booted();
    proc.emit('message', message);
    expect(native.of('deliver')).toEqual([['parent', JSON.stringify(text)]]);
  });

  test.each([[null], [5], [[1]], [{ big: 1n }], [undefined]])('sends %p in vain, and the log says so', async message => {
    const { native, proc } = await booted();
    proc.emit('message', message);
    expect(native.of('deliver')).toEqual([]);
    expect(native.of('log').at(-1)).toEqual(['warn', expect.stringContaining('dropped a message of the parent process')]);
  });
});

describe('events', () => {
  test.each([
    ['worker-started', { id: 1, pid: 5, slot: 0, generation: 1 }], ['worker-ready', { id: 1, pid: 5, slot: 0, generation: 1 }],
    ['worker-exited', { id: 1, pid: 5, code: null, signal: 'SIGKILL' }], ['agent-started', { pid: 6 }], ['agent-exited', { pid: 6, code: 1 }],
  ])('%s reaches the cluster', async (type, fields) => {
    const { native, cluster } = await booted();
    const seen = [];
    cluster.on(type, event => seen.push(event));
    native.event({ type, ...fields });
    expect(seen).toEqual([fields]);
  });
});

describe('the messenger of the master', () => {
  test('sends through the router', async () => {
    const { native, cluster } = await booted();
    cluster.messenger.sendToApp('a', 1).sendToAgent('b', 2).sendTo(77, 'c', 3).send('d', 4, 'parent').broadcast('e');
    expect(native.of('deliver').map(([origin, text]) => [origin, JSON.parse(text)])).toEqual([
      ['master', { action: 'a', data: 1, to: 'app' }], ['master', { action: 'b', data: 2, to: 'agent' }],
      ['master', { action: 'c', data: 3, receiverPid: '77' }], ['master', { action: 'd', data: 4, to: 'parent' }],
      ['master', { action: 'e', to: 'app' }], ['master', { action: 'e', to: 'agent' }],
    ]);
  });

  test('hears what is sent to the master, by action', async () => {
    const { native, cluster } = await booted();
    const seen = [];
    cluster.messenger.on('hi', data => seen.push(data));
    native.event({ type: 'message', message: { action: 'hi', data: { a: 1 }, from: 'app' } });
    native.event({ type: 'message', message: { action: 'other', data: 2 } });
    expect(seen).toEqual([{ a: 1 }]);
  });

  test('keeps what is sent before readiness, in order', async () => {
    const given = parts();
    const { messenger } = given.masterEndpoint();
    messenger.sendToAgent('first');
    const { native, ready } = await boot({}, given);
    messenger.sendToAgent('second');
    expect(native.of('deliver')).toEqual([]);
    native.event({ type: 'ready', address: 'x' });
    (await ready).messenger.sendToAgent('third');
    expect(native.of('deliver').map(([, text]) => JSON.parse(text).action)).toEqual(['first', 'second', 'third']);
  });

  test('keeps a limited number, and tells how many it lost', async () => {
    const given = parts();
    for (let i = 0; i < MAX_WAITING + 3; i++) given.masterEndpoint().messenger.sendToApp('x', i);
    const { native } = await booted({}, given);
    expect(native.of('deliver')).toHaveLength(MAX_WAITING);
    expect(native.of('log').at(-1)).toEqual(['warn', expect.stringContaining('3 messages')]);
  });

  test('sendRandom chooses among the apps that are ready', async () => {
    const { native, cluster } = await booted();
    cluster.messenger.sendRandom('nobody');
    native.event({ type: 'worker-ready', id: 1, pid: 50 });
    native.event({ type: 'worker-ready', id: 2, pid: 51 });
    native.event({ type: 'worker-exited', id: 1, pid: 50 });
    cluster.messenger.sendRandom('x');
    expect(native.of('deliver').map(([, text]) => JSON.parse(text))).toEqual([{ action: 'x', receiverPid: '51' }]);
  });
});

describe('without the addon', () => {
  const load = () => { throw new Error('Cannot find native binding.\nmore'); };

  test('the start is refused before anything else happens', async () => {
    const given = { ...parts(), loadNative: () => loadNative(load) };
    await expect(new Master({ baseDir: egg3, workers: 1 }, given).ready()).rejects.toMatchObject({ code: 'ERR_CLUTCH_PLATFORM' });
    expect(given.proc.listeners_()).toEqual({});
  });

  test('one sentence says what is missing and what to do', () => {
    const text = (platform, arch) => {
      try {
        return loadNative(load, { platform, arch });
      } catch (error) {
        expect(error.code).toBe('ERR_CLUTCH_PLATFORM');
        expect(error.cause.message).toMatch(/^Cannot find native binding/);
        expect(error.message).not.toContain('\n');
        return error.message;
      }
    };
    expect(text('linux', 'x64')).toMatch(/on linux-x64 \((glibc|musl), Node\.js v\d.*Cannot find native binding\.; run `npm run build` in /);
    expect(text('win32', 'x64')).toMatch(/not on win32-x64; use egg-cluster/);
    expect(text('linux', 'ia32')).toMatch(/not on linux-ia32; use egg-cluster/);
  });
});
