'use strict';

// Which inspect ports the processes of a cluster get that is debugged.

const assert = require('node:assert/strict');
const { freePort, freePorts } = require('../helpers/free_port');
const { ask } = require('../helpers/probe');
const { scenario } = require('./contract');

const DEFAULT_AGENT_PORT = 5800;

const debugMessages = ({ messages }) => messages.filter(({ action }) => action === 'debug');
const optionsOf = ({ argv }) => JSON.parse(argv.at(-1));

async function factsOf(cluster) {
  const apps = await Promise.all(cluster.appPids().map(pid => ask(cluster, pid, 'facts')));
  apps.sort((one, other) => one.cluster.id - other.cluster.id);
  return { agent: await ask(cluster, cluster.agentPid(), 'facts'), apps };
}

/** The number is as the environment has it in one of the layers, so a text. */
function assertMessages(cluster, expected, version) {
  const messages = debugMessages(cluster);
  assert.deepEqual(messages.map(({ from }) => from), expected.map(({ from }) => from));
  const data = messages.map(({ data: { debugPort, ...rest } }) => ({ debugPort: Number(debugPort), ...rest }));
  assert.deepEqual(data, expected.map(({ debugPort, pid }) => ({ debugPort, pid, ...(version === 3 && { workerId: pid }) })));
}

scenario('a cluster whose master is inspected', {
  async start(subject) {
    // The master's and those of two apps.
    const port = await freePorts(3);
    const agentPort = await freePort();
    const execArgv = [`--inspect=${port}`];
    const cluster = await subject.start({}, { execArgv, env: { EGG_AGENT_DEBUG_PORT: String(agentPort) } });
    await cluster.ready();
    return { cluster, port, agentPort, execArgv, ...await factsOf(cluster) };
  },
}, line => {
  line('2.16', ({ agent, apps }) => {
    for (const worker of [agent, ...apps]) assert.equal(optionsOf(worker).isDebug, true);
  });

  line('11.1', ({ agent, agentPort, execArgv }) => {
    assert.deepEqual(agent.execArgv, [...execArgv, `--inspect-port=${agentPort}`]);
    assert.equal(agent.debugPort, agentPort);
  });

  line('11.2', ({ cluster, port, agent, agentPort, apps }, { version }) => {
    assert.deepEqual(apps.map(({ debugPort }) => debugPort), [port + 1, port + 2]);
    assertMessages(cluster, [
      { from: 'agent', debugPort: agentPort, pid: agent.pid },
      ...apps.map(({ pid, debugPort }) => ({ from: 'app', debugPort, pid })),
    ], version);
  });
});

scenario('a cluster that is debugged by its options', {
  async start(subject) {
    const cluster = await subject.start({ isDebug: true, workers: 1 });
    await cluster.ready();
    return { cluster, ...await factsOf(cluster) };
  },
}, line => {
  for (const id of ['11.1', '11.4']) {
    line(id, ({ cluster, agent }) => {
      assert.deepEqual(agent.execArgv, [`--inspect-port=${DEFAULT_AGENT_PORT}`]);
      assert.equal(agent.debugPort, DEFAULT_AGENT_PORT);
      const [{ from, data: { debugPort, pid } }] = debugMessages(cluster);
      assert.deepEqual({ from, debugPort, pid }, { from: 'agent', debugPort: DEFAULT_AGENT_PORT, pid: agent.pid });
    });
  }
});
