'use strict';

const { setImmediate: nextTurn } = require('timers/promises');
const path = require('path');

const { Master } = require('..');
const { loadNative } = require('../lib/master/native');
const { appDir, removeAll, ROOT } = require('./support/app_dir');
const { FakeCluster, parts, boot: bootFake, booted: bootedFake } = require('./support/fake_native');

let egg3;
let egg4;
beforeAll(() => {
  egg3 = appDir();
  egg4 = appDir({ stock: '@eggjs/cluster' });
});
afterAll(removeAll);

const boot = (options, given) => bootFake({ baseDir: egg3, ...options }, given);
const booted = (options, given) => bootedFake({ baseDir: egg3, ...options }, given);

describe('what the native half gets', () => {
  test('by default', async () => {
    const env = { PATH: '/bin', EGG_X: 'a=b' };
    const { native, master } = await boot({ port: 7001, foo: 1 }, parts({ env }));
    const { optionsJson, ...config } = native.config;
    expect(config).toEqual({
      execPath: '/usr/bin/node', execArgv: ['--no-warnings'],
      agent: { script: path.join(ROOT, 'lib/agent_worker.js'), execArgv: [], isRestored: false },
      app: { script: path.join(ROOT, 'lib/app_worker.js'), execArgv: [], isRestored: false },
      ownExecPath: '/usr/bin/node', ownArgs: ['--no-warnings', '/srv/start.js', '{}'],
      env: ['PATH=/bin', 'EGG_X=a=b'], threads: false, switchboard: true, lanes: true, balance: 'least-busy',
      maxQueueBytes: 2 ** 28, sharesSockets: true, workers: 2, frameworkName: 'egg', production: false, quiet: false, logLevel: 'INFO', logsJson: false, isDebug: false,
      agentInspectPort: 5800, inspectPort: 9229, port: 7001, protocol: 'http',
      appCloseTimeoutMs: 5000, agentCloseTimeoutMs: 5000,
      bootTimeoutMs: 600000, spares: 0, bootsAtOnce: expect.any(Number), reloadConcurrency: 1, reloadAgent: false, preStopDelayMs: 0,
      restart: {
        backoffBaseMs: 100, backoffCapMs: 15000, healthyAfterMs: 10000, intensity: 60, intensityPeriodMs: 60000, endsMaster: false,
      },
      stuck: { steerAfterMs: 1000, killAfterMs: 30000, stack: true }, oomFiles: expect.any(Array), announceAgentPid: false,
      controlPath: path.join(egg3, 'run', 'clutch.sock'), controlIsDefault: true, admin: undefined,
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
      agent: { script: path.join(ROOT, 'dist/commonjs/agent_worker.js') }, app: { script: path.join(ROOT, 'dist/commonjs/app_worker.js') },
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
    expect(asked).toEqual([{ purpose: 'clusterPort', except: [7001, 7002] }]);
  });

  test.each([[{ sticky: true }, 4002], [{ sticky: false }, undefined], [{}, undefined]])('the port behind a sticky one is there for %p only', async (options, expected) => {
    const { native } = await boot(options, parts({ ports: [4001, 4002] }));
    expect(native.config.stickyWorkerPort).toBe(expected);
    expect(JSON.parse(native.config.optionsJson)).toMatchObject({ clusterPort: 4001, ...options });
    expect(JSON.parse(native.config.optionsJson).stickyWorkerPort).toBe(expected);
  });

  test('the port behind a sticky one keeps off all others', async () => {
    const asked = [];
    const given = { ...parts(), findFreePort: async options => asked.push(options) };
    await boot({ port: 7001, debugPort: 7002, sticky: true }, given);
    expect(asked[1]).toEqual({ purpose: 'stickyWorkerPort', except: [7001, 7002, 1] });
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
    expect(cluster.status()).toEqual({ pid: 1, ready: true, workers: [], spares: [], droppedMessages: 2 });
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
    expect(proc.listeners_()).toEqual({ SIGHUP: 1, SIGINT: 1, SIGQUIT: 1, SIGTERM: 1, SIGTTIN: 1, SIGTTOU: 1, exit: 1, message: 1 });
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

  test('another one while closing hurries a cluster that serves on before it stops', async () => {
    const { proc, native } = await booted({ preStopDelay: '5s' });
    for (const signal of ['SIGTERM', 'SIGTERM', 'SIGINT']) proc.emit(signal);
    expect(native.of('stop').map(([signal]) => signal)).toEqual(['SIGTERM', 'SIGTERM', 'SIGINT']);
  });

  test('SIGHUP asks for a reload, SIGTTIN and SIGTTOU for one worker more or less', async () => {
    const { proc, native } = await booted();
    for (const signal of ['SIGHUP', 'SIGTTIN', 'SIGTTOU']) proc.emit(signal);
    expect(native.of('request')).toEqual([[{ kind: 'reload' }], [{ kind: 'grow' }], [{ kind: 'shrink' }]]);
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

test('when the native half is at its end, nothing that comes in fails, and status() says so', async () => {
  const { native, proc, cluster } = await booted();
  const closed = Object.assign(new Error('the cluster is closed'), { code: 'ERR_CLUTCH_CLOSED' });
  FakeCluster.broken = { deliver: closed, stop: closed, status: closed };
  proc.emit('message', { action: 'x' });
  cluster.messenger.sendToApp('x');
  expect(() => cluster.status()).toThrow(expect.objectContaining({ name: 'ClutchError', code: 'ERR_CLUTCH_CLOSED' }));
  proc.emit('SIGTERM');
  native.event({ type: 'exit', code: 1 });
  await nextTurn();
  await nextTurn();
  expect(proc.exits).toEqual([1]);
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
