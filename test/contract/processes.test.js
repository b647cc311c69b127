'use strict';

// One cluster with much in its options: what its processes are, and what they are given.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { once } = require('node:events');
const { freePort } = require('../helpers/free_port');
const { get, getJson } = require('../helpers/http_client');
const { ask } = require('../helpers/probe');
const processes = require('../helpers/processes');
const { runFolder } = require('../helpers/run_folder');
const { until } = require('../helpers/waiting');
const { specials } = require('../fixtures/probe/specials');
const { scenario } = require('./contract');
const { SMALL } = require('./subjects');

const PRELOADS = path.join(__dirname, '..', 'fixtures', 'preloads');
const preload = name => path.join(PRELOADS, name);
const EXEC_ARGV = ['--no-deprecation', '--max-http-header-size=20000', '--trace-warnings', '--require', preload('node_option.js')];
const MANY = 500;

/** A package for options.require, which notes where it was found. */
function layPreload(dir, where) {
  const folder = path.join(dir, 'node_modules', 'preloaded-by-name');
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'index.js'), `(globalThis.preloaded ??= []).push('${where}');\n`);
}

/** An app beside the one that the layer is installed in: each has a package of the same name. */
async function layApp(subject) {
  const baseDir = path.join(runFolder(), `elsewhere of ${subject.name}`);
  layPreload(baseDir, 'of the app');
  fs.writeFileSync(path.join(baseDir, 'package.json'), '{}');
  layPreload((await subject.lay()).baseDir, 'beside the layer');
  return baseDir;
}

/** Nobody reserves it, so that a connection of anybody may come from it for a moment. */
async function canListen(port) {
  await until(async () => {
    const server = net.createServer().listen(port);
    const isFree = await once(server, 'listening').then(() => true, () => false);
    server.close();
    return isFree;
  }, `room to listen on port ${port}`);
}

const descriptorsOf = pid => [0, 1, 2].map(fd => fs.readlinkSync(`/proc/${pid}/fd/${fd}`));
const optionsOf = ({ argv }) => JSON.parse(argv.at(-1));

/** Asks everybody: [agent's answer, answer of the app with the lowest id, …]. */
function askAll(cluster, command, argument) {
  return Promise.all([cluster.agentPid(), ...cluster.apps].map(pid => ask(cluster, pid, command, argument)));
}

scenario('a cluster with much in its options', {
  async start(subject) {
    const cluster = await subject.start({
      baseDir: await layApp(subject),
      port: String(await freePort()), workers: '2', title: 'a title', foo: { bar: [1] }, plugins: { watcher: { enable: true } },
      require: [preload('first.js'), preload('second.js'), 'preloaded-by-name'],
    }, { cwd: os.tmpdir(), env: { PROBE_INHERITED: 'from the master' }, execArgv: EXEC_ARGV });
    await cluster.ready();
    const apps = await Promise.all(cluster.appPids().map(pid => ask(cluster, pid, 'facts')));
    cluster.apps = apps.sort((one, other) => one.cluster.id - other.cluster.id).map(({ pid }) => pid);
    cluster.facts = await askAll(cluster, 'facts');
    return cluster;
  },
}, (line, step) => {
  line('2.0', ({ facts }) => {
    for (const worker of facts) assert.deepEqual(optionsOf(worker).foo, { bar: [1] });
  });

  line('2.4', async ({ options: { port }, facts }) => {
    for (const worker of facts) assert.equal(optionsOf(worker).port, Number(port));
    assert.equal((await get(Number(port))).status, 200);
  });

  line('2.15', ({ facts }) => {
    for (const worker of facts) assert.deepEqual(optionsOf(worker).plugins, { watcher: { enable: true } });
  });

  line('2.18', async ({ facts }) => {
    const ports = new Set(facts.map(worker => optionsOf(worker).clusterPort));
    assert.equal(ports.size, 1);
    await canListen([...ports][0]);
  });

  line('3.1', cluster => {
    assert.deepEqual(cluster.workers().map(({ role }) => role).sort(), ['agent', 'app', 'app']);
    for (const { ppid } of cluster.facts) assert.equal(ppid, cluster.pid);
  });

  line('3.3', cluster => {
    for (const [place, { pid, argv }] of cluster.facts.entries()) {
      const script = place === 0 ? 'agent_worker' : 'app_worker';
      assert.equal(argv.length, 3);
      assert.ok(path.basename(argv.at(-2)).includes(script), argv.at(-2));
      assert.deepEqual(processes.commandLine(pid), [process.execPath, ...EXEC_ARGV, argv.at(-2), argv.at(-1)]);
      assert.equal(typeof JSON.parse(argv.at(-1)), 'object');
    }
  });

  line('3.5', ({ options: { baseDir, port }, facts }, { version }) => {
    const { clusterPort } = optionsOf(facts[0]);
    const defaults = version === 2 ? { reusePort: false, https: false, ports: [] } : {};
    for (const worker of facts) {
      assert.deepEqual(optionsOf(worker), {
        ...defaults, startMode: 'process', framework: SMALL, baseDir, clusterPort, port: Number(port), workers: 2, env: 'prod', title: 'a title',
        foo: { bar: [1] }, plugins: { watcher: { enable: true } }, require: [preload('first.js'), preload('second.js'), 'preloaded-by-name'],
      });
    }
    assert.ok(Number.isInteger(clusterPort) && clusterPort > 0);
  });

  line('2.16', ({ facts }) => {
    for (const worker of facts) assert.ok(!('isDebug' in optionsOf(worker)));
  });

  line('3.6', cluster => {
    for (const { pid, cwd, env } of cluster.facts) {
      assert.equal(cwd, fs.realpathSync(os.tmpdir()));
      assert.equal(env.PROBE_INHERITED, 'from the master');
      assert.deepEqual(descriptorsOf(pid), descriptorsOf(cluster.pid));
    }
  });

  line('3.7', async cluster => {
    const [agent, ...apps] = cluster.facts;
    assert.deepEqual(apps.map(app => app.cluster), [1, 2].map(id => ({ isWorker: true, isPrimary: false, id, connected: true })));
    assert.deepEqual(agent.cluster, { isWorker: false, isPrimary: true });
    const [ofAgent, ...ofApps] = await askAll(cluster, 'means');
    const ofProcess = { send: 'function', disconnect: 'function' };
    assert.deepEqual(ofAgent, { process: ofProcess });
    for (const means of ofApps) assert.deepEqual(means, { process: ofProcess, worker: { ...ofProcess, asked: false } });
    await ask(cluster, cluster.apps[0], 'sendByWorker', { action: 'by-the-worker', to: 'parent' });
    assert.equal((await cluster.message('by-the-worker')).from, 'app');
    const pids = new Set();
    while (pids.size < 2) pids.add((await getJson(Number(cluster.options.port))).pid);
    assert.deepEqual([...pids].sort(), [...cluster.apps].sort());
  });

  line('3.9', ({ facts }) => {
    for (const { execArgv } of facts) assert.deepEqual(execArgv, EXEC_ARGV);
  });

  line('3.11', async cluster => {
    const [app] = cluster.apps;
    await ask(cluster, cluster.agentPid(), 'flood', { method: 'sendTo', args: [app, 'news'], count: MANY });
    const flood = await ask(cluster, app, 'when', { action: 'news', count: MANY });
    assert.deepEqual(flood.map(({ place }) => place), Array.from({ length: MANY }, (_, place) => place));
    await ask(cluster, app, 'forget');
    await ask(cluster, cluster.agentPid(), 'sendSpecials', { method: 'sendTo', args: [app, 'news'] });
    assert.deepEqual(await ask(cluster, app, 'when', { action: 'news' }), [JSON.parse(JSON.stringify(specials()))]);
  });

  line('3.12', async (cluster, { version }) => {
    const byName = version === 2 ? 'beside the layer' : 'of the app';
    for (const { modules, nodeOptionTaken } of await askAll(cluster, 'preloaded')) {
      assert.deepEqual(modules, ['first', 'second', byName, 'framework']);
      assert.ok(nodeOptionTaken);
    }
  });

  line('3.13', async cluster => {
    for (const { modules } of await askAll(cluster, 'preloaded')) assert.equal(modules.at(-1), 'framework');
  });

  line('11.3', ({ messages }) => assert.deepEqual(messages.filter(({ action }) => action === 'debug'), []));

  for (const host of ['127.0.0.1', 'localhost', '::1', '0.0.0.0']) {
    line('10.6', async ({ options: { port } }) => assert.equal((await get({ host, port: Number(port) })).status, 200));
  }

  step('an app disconnects itself', async cluster => {
    const [app] = cluster.apps;
    await ask(cluster, app, 'disconnect');
    cluster.gone = app;
    cluster.third = Number((await cluster.output(/app_worker#3:(\d+) started at/))[1]);
  }, line => {
    line('3.7', async cluster => {
      assert.equal((await ask(cluster, cluster.third, 'facts')).cluster.id, 3);
      await cluster.output(new RegExp(String.raw`worker:${cluster.gone} disconnect \(exitedAfterDisconnect: true,`));
    });
  });

  step('the agent is killed', async cluster => {
    cluster.firstAgent = cluster.agentPid();
    process.kill(cluster.firstAgent, 'SIGKILL');
    cluster.secondAgent = Number((await cluster.output(/agent_worker#2:(\d+) started/))[1]);
  }, line => {
    line('3.8', cluster => {
      assert.match(cluster.stdout, new RegExp(`agent_worker#1:${cluster.firstAgent} started`));
      assert.equal(cluster.agentPid(), cluster.secondAgent);
    });

    line('2.18', async cluster => {
      for (const pid of [cluster.secondAgent, cluster.third]) {
        assert.equal(optionsOf(await ask(cluster, pid, 'facts')).clusterPort, optionsOf(cluster.facts[0]).clusterPort);
      }
    });
  });
});
