'use strict';
// Where debuggers find the processes of a cluster, and what becomes of one whose worker a debugger kills.

const assert = require('node:assert/strict');
const { started } = require('../helpers/folder_cluster');
const { freePort, freePorts } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { assertInOrder } = require('../helpers/lines');
const { ask } = require('../helpers/probe');
const { Subject } = require('./shared/subject');

const embedded = new Subject('embedded');
// One for the master, two for the apps, one for whoever comes after them.
const PORTS = 4;
const IN_SIGHT = { EGG_MASTER_LOGGER_LEVEL: 'DEBUG' };

function debugMessages(cluster) {
  return cluster.messages.filter(({ action }) => action === 'debug');
}

/** The process behind an inspector, as the inspector tells it: title of its script's place. */
async function inspected(port) {
  const [{ title }] = await getJson(port, '/json');
  return /(agent|app)_worker\.\w+/.exec(title)?.[1] ?? title;
}

async function portsOf(cluster, pids) {
  const facts = await Promise.all(pids.map(pid => ask(cluster, pid, 'facts')));
  return facts.map(({ debugPort, execArgv }) => ({ debugPort, given: execArgv.filter(flag => flag.startsWith('--inspect-port')) }));
}

const told = port => ({ debugPort: port, given: [`--inspect-port=${port}`] });

describe('a master with an inspector', () => {
  it('gives the apps the ports after its own and the agent another, and tells the parent', async () => {
    const [own, agentPort] = [await freePorts(PORTS), await freePort()];
    const cluster = await embedded.start({}, { execArgv: [`--inspect=${own}`], env: { EGG_AGENT_DEBUG_PORT: String(agentPort), ...IN_SIGHT } });
    await cluster.ready();
    const agent = cluster.agentPid();
    const apps = [...cluster.stdout.matchAll(/app_worker#\d+:(\d+) start,/g)].map(match => Number(match[1]));
    assert.deepEqual(debugMessages(cluster).map(message => [message.from, message.data]), [
      ['agent', { debugPort: agentPort, pid: agent }],
      ['app', { debugPort: own + 1, pid: apps[0] }],
      ['app', { debugPort: own + 2, pid: apps[1] }],
    ]);
    assert.deepEqual(await portsOf(cluster, [agent, ...apps]), [agentPort, own + 1, own + 2].map(told));
    assert.deepEqual(await Promise.all([agentPort, own + 1, own + 2].map(inspected)), ['agent', 'app', 'app']);
    assert.equal(JSON.parse(cluster.workers()[0].argv.at(-1)).isDebug, true);
  });

  it('gives the next port to an app that takes the place of another', async () => {
    const [own, agentPort] = [await freePorts(PORTS), await freePort()];
    const cluster = await embedded.start({}, { execArgv: [`--inspect=${own}`], env: { EGG_AGENT_DEBUG_PORT: String(agentPort) } });
    await cluster.ready();
    await ask(cluster, await started(cluster, 0), 'exit', 3);
    const successor = await started(cluster, 2);
    assert.deepEqual(await portsOf(cluster, [successor]), [told(own + 3)]);
    assert.deepEqual(debugMessages(cluster).at(-1).data, { debugPort: own + 3, pid: successor });
  });

  it('does so where the flag stands in NODE_OPTIONS, as the cluster module does, but tells nobody', async () => {
    const own = await freePorts(PORTS);
    const cluster = await embedded.start({ workers: 1 }, { env: { NODE_OPTIONS: `--inspect=${own}` } });
    await cluster.ready();
    assert.deepEqual(await portsOf(cluster, cluster.appPids()), [told(own + 1)]);
    assert.deepEqual(debugMessages(cluster), []);
  });

  it('closes in order when a debugger kills a worker', async () => {
    const cluster = await embedded.start({ isDebug: true });
    await cluster.ready();
    const [victim] = cluster.appPids();
    process.kill(victim, 'SIGKILL');
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
    assertInOrder(cluster.stderr, [new RegExp(`ERROR \\d+ \\[master\\] app_worker#\\d:${victim} died \\(`), '[master] worker kill by debugger, exiting...\n']);
    assert.ok(!cluster.stderr.includes('AppWorkerDiedError'));
  });
});

describe('the option isDebug without an inspector', () => {
  it('gives the agent its port, 5800 by default, and the apps none', async () => {
    const cluster = await embedded.start({ isDebug: true });
    await cluster.ready();
    const apps = cluster.appPids();
    assert.deepEqual(await portsOf(cluster, [cluster.agentPid()]), [told(5800)]);
    assert.deepEqual((await portsOf(cluster, apps)).map(({ given }) => given), [[], []]);
    assert.deepEqual(debugMessages(cluster).map(({ from, data }) => [from, data.debugPort]), [['agent', 5800], ['app', 9230], ['app', 9231]]);
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
    assert.equal(cluster.stderr, '');
  });
});

describe('a cluster that is not debugged', () => {
  it('says nothing of inspectors to anybody', async () => {
    const cluster = await embedded.start();
    await cluster.ready();
    assert.deepEqual(debugMessages(cluster), []);
    for (const { given } of await portsOf(cluster, [cluster.agentPid(), ...cluster.appPids()])) assert.deepEqual(given, []);
  });
});
