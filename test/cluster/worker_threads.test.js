'use strict';

// startMode 'worker_threads': agent and apps as threads of the master, on egg 3, egg 4 and without egg. Outside of production, as
// dead app threads are started again in every environment.

const assert = require('node:assert/strict');
const { knowsReusePort } = require('../../lib/options/threads');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { assertInOrder, countOf } = require('../helpers/lines');
const { ask } = require('../helpers/probe');
const { Subject, NAMES } = require('./shared/subject');

const INSTALL_LIMIT_MS = 300000;
const AGENT = 1;

/** A cluster of threads; their ids take the place of pids. */
class Threads {
  constructor(subject) {
    this.subject = subject;
    this.agent = AGENT;
    this.apps = [];
  }

  async start() {
    this.ports = [await freePort(), await freePort()];
    this.cluster = await this.subject.start({ startMode: 'worker_threads', ports: this.ports, env: 'unittest' });
    this.data = await this.cluster.ready();
    await this.meet();
  }

  /** Asks each port who answers there now. */
  async meet() {
    this.apps = [];
    for (const port of this.ports) this.apps.push((await getJson(port)).pid);
  }

  get everybody() {
    return [this.agent, ...this.apps];
  }

  ask(id, command, argument) {
    return ask(this.cluster, id, command, argument);
  }

  async forget() {
    for (const id of this.everybody) await this.ask(id, 'forget');
  }
}

for (const name of NAMES) {
  describe(`${name} in worker threads`, () => {
    const subject = new Subject(name);
    const service = new Threads(subject);

    before(async function () {
      this.timeout(INSTALL_LIMIT_MS);
      await subject.lay();
      await service.start();
    });
    after(() => service.cluster.stop());

    it('starts the agent as thread 1 and one app per port, all of them in the master', async () => {
      const { cluster, ports, apps } = service;
      assert.deepEqual(cluster.workers(), []);
      assert.equal(new Set([AGENT, ...apps]).size, 3);
      for (const id of service.everybody) {
        const { pid, argv } = await service.ask(id, 'facts');
        assert.equal(pid, cluster.pid);
        assert.match(argv[1], id === AGENT ? /agent_worker\.js$/ : /app_worker\.js$/);
        const options = JSON.parse(argv[2]);
        assert.equal(options.workers, 2);
        if (id !== AGENT) assert.equal(options.port, ports[apps.indexOf(id)]);
      }
      assert.equal(cluster.stderr, '');
      assert.match(cluster.stdout, /"startMode":"worker_threads"/);
      assertInOrder(cluster.stdout, [
        '[master] agent_worker#1:1 start with worker_threads\n',
        '[master] agent_worker#1:1 started (',
        /\[master\] app_worker#1 \(tid:\d+\) start\n/,
        /\[master\] app_worker#2 \(tid:\d+\) start\n/,
        /\[master\] app_worker#\d:\d+ started at \d+, remain 1 \(/,
        /\[master\] app_worker#\d:\d+ started at \d+, remain 0 \(/,
        `[master] ${subject.frameworkName} started on http://127.0.0.1:${ports[0]} (`,
      ]);
    });

    it('tells the parent the address of the first port', () => {
      const [port] = service.ports;
      assert.deepEqual(service.data, { port, address: `http://127.0.0.1:${port}`, protocol: 'http' });
    });

    it('tells agent and apps that it is ready, and the agent the ids of the apps', async () => {
      for (const id of service.everybody) {
        const [options] = await service.ask(id, 'when', { action: 'egg-ready' });
        assert.equal(options.workers, 2);
      }
      const ids = (await service.ask(AGENT, 'received', 'egg-pids')).at(-1);
      assert.deepEqual(ids, [...service.apps].sort((a, b) => a - b));
    });

    require('./shared/messages')(service);

    it('clones what a message carries, as postMessage does', async () => {
      const [first, second] = service.apps;
      for (const [from, to] of [[first, AGENT], [AGENT, second], [first, second]]) {
        await service.forget();
        await service.ask(from, 'sendCloneable', { method: 'sendTo', args: [to, 'news'] });
        await service.ask(from, 'send', { method: 'sendTo', args: [to, 'fence', 'after it'] });
        await service.ask(to, 'when', { action: 'fence', last: 'after it' });
        assert.deepEqual(await service.ask(to, 'inspected', 'news'), [
          "{ date: 1970-01-01T00:00:00.000Z, map: Map(1) { 1 => Set(1) { 'x' } }, nothing: undefined, large: 1180591620717411303424n }",
        ]);
      }
    });

    it('lets a message that cannot be cloned fail where it is sent, and nowhere else', async () => {
      const [first] = service.apps;
      await service.forget();
      await assert.rejects(service.ask(first, 'sendUncloneable', { method: 'broadcast', args: ['news'] }), /DataCloneError/);
      await service.ask(first, 'send', { method: 'broadcast', args: ['fence', 'after it'] });
      for (const id of service.everybody) {
        await service.ask(id, 'when', { action: 'fence', last: 'after it' });
        assert.deepEqual(await service.ask(id, 'received', 'news'), []);
      }
    });

    // mocha runs a suite's own tests before those of the suites in it.
    describe('losses', () => {
      it('renews one app after the other at reload-worker', async () => {
        const { cluster } = service;
        const before = service.apps;
        const from = cluster.stdout.length;
        cluster.send({ action: 'reload-worker' });
        await cluster.output('[master] 2 workers reloaded\n');
        assertInOrder(cluster.stdout.slice(from), [
          /kill app worker#\d+ \(worker_threads\) by worker\.terminate\(\)\n/,
          /app_worker#\d+:\d+ started at \d+/,
          /kill app worker#\d+ \(worker_threads\) by worker\.terminate\(\)\n/,
          /app_worker#\d+:\d+ started at \d+/,
        ]);
        await cluster.message('app-worker-died', { index: 1 });
        await service.meet();
        assert.ok(service.apps.every(id => !before.includes(id)));
      });

      it('starts a dead app again after a second, and tells everybody', async () => {
        const { cluster } = service;
        const [lost, other] = service.apps;
        await service.forget();
        await service.ask(lost, 'exit', 3);
        await cluster.output(new RegExp(`app_worker#\\d+ \\(tid:${lost}\\) exit with code: 3\\n`));
        const [, line] = await cluster.output(/\[master\] app_worker#\d+ \((tid:\d+)\) refork after 1s\n/);
        assert.equal(line, `tid:${lost}`);
        const lists = await service.ask(AGENT, 'when', { action: 'egg-pids', count: 2 });
        assert.deepEqual(lists[0], [other]);
        await service.meet();
        assert.notEqual(service.apps[0], lost);
        assert.deepEqual(lists[1], [other, service.apps[0]]);
        await service.ask(other, 'when', { action: 'egg-ready' });
        assert.match(cluster.stderr, new RegExp(`nodejs\\.AppWorkerDiedError: \\[master\\] app_worker#\\d+:${lost} died \\(code: 3, signal: null`));
      });

      it('starts a dead agent again after a second, and tells the apps', async () => {
        const { cluster } = service;
        await service.forget();
        await service.ask(AGENT, 'exit', 4);
        await cluster.message('agent-worker-died');
        const [, id] = await cluster.output(/agent_worker#2:(\d+) started \(/);
        service.agent = Number(id);
        for (const app of service.apps) {
          assert.deepEqual((await service.ask(app, 'when', { action: 'egg-pids', count: 2 })).slice(0, 2), [[], [service.agent]]);
          assert.equal((await service.ask(app, 'when', { action: 'agent-start' })).length, 1);
        }
        assert.match(cluster.stderr, /nodejs\.AgentWorkerDiedError: \[master\] agent_worker#1:1 died \(code: 4, signal: null\)/);
        // Whoever had the old agent's address finds the new one by its own.
        await service.ask(service.apps[0], 'send', { method: 'sendTo', args: [service.agent, 'news', 'to the new one'] });
        assert.deepEqual(await service.ask(service.agent, 'when', { action: 'news' }), ['to the new one']);
      });
    });

    describe('at the end', () => {
      it('terminates the apps and then the agent, without their close hooks, and exits with 0', async () => {
        const { cluster } = service;
        const from = cluster.stdout.length;
        assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
        const text = cluster.stdout.slice(from);
        assertInOrder(text, [
          '[master] master is killed by signal SIGTERM, closing\n',
          '[master] send kill SIGTERM to app workers, will exit with code:0 after 5000ms\n',
          /\[master\] kill app worker#\d+ \(worker_threads\) by worker\.terminate\(\)\n/,
          '[master] send kill SIGTERM to agent worker, will exit with code:0 after 5000ms\n',
          '[master] kill agent worker#2 (worker_threads) by worker.terminate()\n',
          '[master] close done, exiting with code:0\n',
          '[master] exit with code:0\n',
        ]);
        assert.equal(countOf(text, 'kill app worker#'), 2);
        assert.equal(countOf(text, '[probe]'), 0);
      });
    });
  });
}

describe('worker threads with reusePort', () => {
  const subject = new Subject('embedded');
  const start = () => subject.start({ startMode: 'worker_threads', reusePort: true, workers: 2, env: 'unittest' });

  if (!knowsReusePort(process.versions.node)) {
    it('are refused on a Node that cannot do it', async () => {
      const cluster = await start();
      assert.deepEqual(await cluster.exit(), { code: 1, signal: null });
      assert.match(cluster.stderr, /options\.reusePort is not possible with startMode 'worker_threads'/);
    });
    return;
  }

  it('listen on one port, and new ones before the old ones leave', async () => {
    const cluster = await start();
    const { port } = await cluster.ready();
    const answering = new Set();
    while (answering.size < 2) answering.add((await getJson(port)).pid);
    cluster.send({ action: 'reload-worker' });
    await cluster.output('[master] 2 workers reloaded\n');
    assertInOrder(cluster.stdout, [/app_worker#[34]:\d+ started at/, /kill app worker#[12] /]);
    await cluster.output(/(?:\) exit with code: 1\n[^]*){2}/);
    assert.ok(!answering.has((await getJson(port)).pid));
  });
});
