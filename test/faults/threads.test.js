'use strict';

// What can go wrong with a thread: the master lives on, or ends as it does for processes, and nothing is left.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { once } = require('node:events');
const { freePort } = require('../helpers/free_port');
const { get, getJson } = require('../helpers/http_client');
const { assertInOrder } = require('../helpers/lines');
const { ask, told } = require('../helpers/probe');
const { runFolder } = require('../helpers/run_folder');
const { Subject } = require('../cluster/shared/subject');

const subject = new Subject('embedded');
const AGENT = 1;

async function start({ fault, execArgv, env, ...options } = {}) {
  const ports = [await freePort(), await freePort()];
  const cluster = await subject.start({ startMode: 'worker_threads', ports, env: 'unittest', ...options }, { fault, execArgv, env });
  return { cluster, ports };
}

async function ready(settings) {
  const { cluster, ports } = await start(settings);
  await cluster.ready();
  const apps = [];
  for (const port of ports) apps.push((await getJson(port)).pid);
  return { cluster, ports, apps };
}

/** Resolves once the thread with this id has been replaced: the `index`-th that serves this port, counted from 0. */
async function replaced({ cluster, apps }, port, index = 1) {
  const lost = apps[1];
  await cluster.output(new RegExp(`app_worker#\\d+ \\(tid:${lost}\\) exit with code: \\d+\\n`));
  await cluster.output(new RegExp(`(?:started at ${port},[^]*){${index + 1}}`));
  apps[1] = (await getJson(port)).pid;
  assert.notEqual(apps[1], lost);
}

describe('a thread that does not start', () => {
  for (const how of ['throw', 'reject', 'exit']) {
    it(`ends the master with 1 if it is the agent and does this while it loads: ${how}`, async () => {
      const { cluster } = await start({ fault: { role: 'agent', how } });
      assert.deepEqual(await cluster.exit(), { code: 1, signal: null });
      assert.match(cluster.stderr, /\[master\] agent_worker#1:1 start fail, exiting with code:1\n/);
      assert.ok(!cluster.stdout.includes('app_worker#1'));
      if (how === 'throw') {
        assert.match(cluster.stderr, /nodejs\.AgentWorkerError: the agent throws while it is loaded\n[^]*threadId: 1\n/);
      }
    });

    it(`ends the master with 1 if it is one of two apps and does this while it loads: ${how}`, async () => {
      const { cluster } = await start({ fault: { role: 'app', how, index: 1 } });
      assert.deepEqual(await cluster.exit(), { code: 1, signal: null });
      assert.match(cluster.stderr, /\[master\] app_worker#2:3 start fail, exiting with code:1\n/);
    });
  }

  it('ends the master with 1 if its port is in use', async () => {
    const server = net.createServer().listen(0);
    await once(server, 'listening');
    const { port } = server.address();
    try {
      const { cluster } = await start({ ports: [await freePort(), port] });
      assert.deepEqual(await cluster.exit(), { code: 1, signal: null });
      assertInOrder(cluster.stderr, [
        `[app_worker] server got error: listen EADDRINUSE: address already in use :::${port}, code: EADDRINUSE\n`,
        '[master] app_worker#2:3 start fail, exiting with code:1\n',
      ]);
    } finally {
      server.close();
    }
  });

  for (const how of ['block', 'hang']) {
    it(`does not hold up a stop if it does this while it loads: ${how}`, async () => {
      const { cluster } = await start({ fault: { role: 'app', how, index: 0 } });
      await told(cluster, 'probe-fault');
      assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
    });
  }
});

describe('among threads in service', () => {
  let service;

  before(async () => {
    service = await ready();
  });
  after(() => service.cluster.stop());

  it('a message with what can be handed over only once is dropped with a word', async () => {
    const { cluster, apps } = service;
    await ask(cluster, apps[0], 'sendPort');
    await cluster.output('[master] a message from app was dropped: ');
    await ask(cluster, apps[0], 'send', { method: 'broadcast', args: ['fence', 1] });
    for (const id of [AGENT, ...apps]) await ask(cluster, id, 'when', { action: 'fence', last: 1 });
  });

  it('a message that is none is ignored with a word', async () => {
    const { cluster, apps } = service;
    for (const [message, found] of [[null, 'null'], [5, 'a number'], [[1], 'an array'], [true, 'a boolean']]) {
      await ask(cluster, apps[0], 'sendRaw', message);
      await cluster.output(`a message from app was ignored: a message must be an object or a string, found ${found}\n`);
    }
  });

  it('one that nobody caught an exception of answers what it has and is replaced', async () => {
    const { cluster, ports, apps } = service;
    const held = get(ports[1], '/hold');
    await told(cluster, 'probe-holding');
    assert.equal((await getJson(ports[1], '/throw')).pid, apps[1]);
    await ask(cluster, apps[1], 'release');
    assert.equal((await held).json().pid, apps[1]);
    await replaced(service, ports[1]);
    assert.match(cluster.stderr, /\[graceful:worker:\d+:uncaughtException\] throw error 1 times/);
    assert.equal((await getJson(ports[0])).pid, apps[0]);
  });

  it('one that exits in the middle of a request is replaced', async () => {
    const { cluster, ports, apps } = service;
    const held = get(ports[1], '/hold').catch(error => error.code);
    await told(cluster, 'probe-holding', { index: 1 });
    await ask(cluster, apps[1], 'exit', 0);
    assert.equal(await held, 'ECONNRESET');
    await replaced(service, ports[1], 2);
    assert.equal((await getJson(ports[0])).pid, apps[0]);
  });

  it('one that is blocked does not hold up a stop', async () => {
    const { cluster, apps } = service;
    await ask(cluster, apps[0], 'block');
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
  });
});

describe('a thread', () => {
  it('that dies of too much memory is replaced, and the master lives', async () => {
    const service = await ready({ execArgv: ['--max-old-space-size=64'] });
    const { cluster, ports, apps } = service;
    await ask(cluster, apps[1], 'exhaustMemory');
    await replaced(service, ports[1]);
    assert.match(cluster.stderr, /nodejs\.AppWorkerError: .*memory limit[^]*ERR_WORKER_OUT_OF_MEMORY[^]*AppWorkerDiedError/);
    assert.equal((await getJson(ports[0])).pid, apps[0]);
  });

  it('that dies again and again while it loads keeps its place, and the others serve', async () => {
    const file = path.join(runFolder(), 'threads-die');
    const { cluster, ports, apps } = await ready({ fault: { role: 'app', how: 'exit', index: 1, file } });
    fs.writeFileSync(file, '');
    await ask(cluster, apps[1], 'exit', 1);
    await cluster.output(/slot 1 is filled again after \S+ \(2 deaths in a row, it keeps dying\)/);
    assert.equal((await getJson(ports[0])).pid, apps[0]);
    fs.rmSync(file);
    await cluster.output(new RegExp(`(?:started at ${ports[1]},[^]*){2}`));
    assert.equal(typeof (await getJson(ports[1])).pid, 'number');
  });

  it('that is blocked outside of JavaScript is left behind at its time-out, and goes with the master', async () => {
    const fifo = path.join(runFolder(), 'nobody-writes');
    execFileSync('mkfifo', [fifo]);
    const { cluster, apps } = await ready({ env: { EGG_MASTER_CLOSE_TIMEOUT: '100' } });
    await ask(cluster, apps[0], 'readForEver', fifo);
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
    assert.match(cluster.stdout, new RegExp(`app_worker#1:${apps[0]} is still there after worker\\.terminate\\(\\), it is not waited for any more\n`));
    assert.match(cluster.stdout, /\[master\] exit with code:0\n$/);
  });

  it('goes with a master that is killed', async () => {
    const { cluster } = await ready();
    cluster.kill('SIGKILL');
    assert.deepEqual(await cluster.exit(), { code: null, signal: 'SIGKILL' });
    await cluster.assertNothingLeft();
  });
});
