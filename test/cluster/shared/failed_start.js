'use strict';

// A start that fails ends the master with code 1, says why, leaves nothing and tries nothing again. Of a real egg only those in which
// its own code has a hand; the others are asked by test/contract.

const assert = require('node:assert/strict');
const http = require('node:http');
const { once } = require('node:events');
const { assertInOrder, countOf } = require('../../helpers/lines');
const { told } = require('../../helpers/probe');

module.exports = subject => describe('a start that fails', () => {
  async function failed(cluster, lines) {
    assert.deepEqual(await cluster.exit(), { code: 1, signal: null });
    await cluster.assertNothingLeft();
    assertInOrder(cluster.stderr, lines);
    assert.ok(!cluster.messages.some(message => message.action === 'egg-ready'));
  }

  function assertForks(cluster, { agents, apps }) {
    assert.equal(countOf(cluster.stdout, ' start with clusterPort:'), agents, 'agents');
    assert.equal(countOf(cluster.stdout, ' start, state: none,'), apps, 'apps');
  }

  const died = (role, number) => new RegExp(`nodejs.${role}WorkerDiedError: \\[master\\] ${role.toLowerCase()}_worker#${number}:\\d+ died`);
  const startFail = (role, number = '\\d+') => new RegExp(`\\[master\\] ${role}_worker#${number}:\\d+ start fail, exiting with code:1\n`);
  const END = '[master] exit with code:1\n';

  for (const [how, says] of [['throw', 'the agent throws while it is loaded'], ['reject', 'the agent cannot get ready'], ['emit', 'the agent emits an error']]) {
    it(`is said of an agent that does this while it loads: ${how}`, async () => {
      const cluster = await subject.start({}, { fault: { role: 'agent', how } });
      await failed(cluster, [says, died('Agent', 1), startFail('agent', 1), END]);
      assertForks(cluster, { agents: 1, apps: 0 });
      if (['reject', 'emit'].includes(how)) assertInOrder(cluster.stderr, [says, '[agent_worker] start error, exiting with code:1\n']);
    });
  }

  for (const [how, says] of [['throw', 'the app throws while it is loaded'], ['reject', 'the app cannot get ready']]) {
    it(`is said of an app that does this while it loads: ${how}`, async () => {
      const cluster = await subject.start({}, { fault: { role: 'app', index: 0, how } });
      await failed(cluster, [says, died('App', 1), startFail('app', 1), END]);
      assertForks(cluster, { agents: 1, apps: 2 });
      if (how === 'reject') assertInOrder(cluster.stderr, ['the app cannot get ready', '[app_worker] start error, exiting with code:1\n']);
    });
  }

  it('is said of an app that is not ready in time', async () => {
    const cluster = await subject.start({}, { fault: { role: 'app', how: 'hang' }, config: { workerStartTimeout: 1000 } });
    await failed(cluster, ['[app_worker] start timeout, exiting with code:1\n', startFail('app'), END]);
    assertForks(cluster, { agents: 1, apps: 2 });
  });

  if (subject.isEgg) return;

  it('is said of an agent that exits while it loads', async () => {
    const cluster = await subject.start({}, { fault: { role: 'agent', how: 'exit' } });
    await failed(cluster, [died('Agent', 1), startFail('agent', 1), END]);
    assertForks(cluster, { agents: 1, apps: 0 });
  });

  it('is said of an app that exits while it loads', async () => {
    const cluster = await subject.start({}, { fault: { role: 'app', index: 0, how: 'exit' } });
    await failed(cluster, [died('App', 1), startFail('app', 1), END]);
    assertForks(cluster, { agents: 1, apps: 2 });
  });

  it('names the port that is in use', async () => {
    const other = http.createServer().listen(0);
    await once(other, 'listening');
    const { port } = other.address();
    try {
      const cluster = await subject.start({ port });
      await failed(cluster, [
        `[app_worker] server got error: bind EADDRINUSE null:${port}, code: EADDRINUSE\n`,
        startFail('app'),
        END,
      ]);
      assertForks(cluster, { agents: 1, apps: 2 });
    } finally {
      other.close();
    }
  });

  it('is said of an app that is killed while it loads', async () => {
    const cluster = await subject.start({}, { fault: { role: 'app', index: 1, how: 'hang' } });
    const { pid } = await told(cluster, 'probe-fault');
    await cluster.output(/app_worker#1:\d+ started at/);
    process.kill(pid, 'SIGKILL');
    await failed(cluster, [
      new RegExp(String.raw`app_worker#2:${pid} died \(code: \w+, signal: SIGKILL`),
      startFail('app', 2),
      END,
    ]);
    assertForks(cluster, { agents: 1, apps: 2 });
  });

  it('is said of an agent that is killed while the apps load', async () => {
    const cluster = await subject.start({}, { fault: { role: 'app', how: 'hang' } });
    await told(cluster, 'probe-fault', { index: 1 });
    const agent = cluster.agentPid();
    process.kill(agent, 'SIGKILL');
    await failed(cluster, [
      new RegExp(String.raw`agent_worker#1:${agent} died \(code: null, signal: SIGKILL\)`),
      startFail('agent', 1),
      END,
    ]);
    assertForks(cluster, { agents: 1, apps: 2 });
  });
});
