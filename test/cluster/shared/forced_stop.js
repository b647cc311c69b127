'use strict';

// Who does not leave when asked, and the master that cannot ask any more: nothing is ever left.

const assert = require('node:assert/strict');
const { assertInOrder } = require('../../helpers/lines');
const { ask } = require('../../helpers/probe');
const processes = require('../../helpers/processes');

// Long enough for an orderly close to get its chance, short enough to wait for.
const TIMEOUTS = { EGG_APP_CLOSE_TIMEOUT: '1000', EGG_AGENT_CLOSE_TIMEOUT: '900' };

module.exports = subject => describe('forced to leave', () => {
  async function started() {
    const cluster = await subject.start({}, { env: TIMEOUTS });
    await cluster.ready();
    return { cluster, agent: cluster.agentPid(), apps: cluster.appPids() };
  }

  it('kills at their time-outs an app that ignores SIGTERM, an agent that stands still, and the children of all', async () => {
    const { cluster, agent, apps: [stubborn, obedient] } = await started();
    const children = [];
    for (const pid of [stubborn, obedient, agent]) {
      for (const how of ['obedient', 'stubborn']) children.push({ how, pid: await ask(cluster, pid, 'spawnChild', { how }) });
    }
    await ask(cluster, stubborn, 'ignoreSigterm');
    await ask(cluster, agent, 'block');
    assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
    for (const { how, pid } of children) assert.ok(cluster.stdout.includes(`[probe] ${how} child ${pid} got SIGTERM\n`));
    assertInOrder(cluster.stdout, [
      'will exit with code:0 after 1000ms\n',
      '[master] wait 1000ms\n',
      `[probe] ${stubborn} ignores SIGTERM\n`,
      'will exit with code:0 after 900ms\n',
      '[master] wait 900ms\n',
      '[master] exit with code:0\n',
    ]);
  });

  it('dies of the same signal sent twice, and the workers leave by themselves', async () => {
    const { cluster, apps } = await started();
    for (const pid of apps) await ask(cluster, pid, 'hangAtClose');
    cluster.kill('SIGTERM');
    for (const pid of apps) await cluster.output(`[probe] app ${pid} closes\n`);
    cluster.kill('SIGTERM');
    assert.deepEqual(await cluster.exit(), { code: null, signal: 'SIGTERM' });
    await cluster.assertNothingLeft();
  });

  it('leaves nothing when the master is killed by SIGKILL, not even an app that stands still', async () => {
    const { cluster, agent, apps: [blocked, other] } = await started();
    await ask(cluster, blocked, 'block');
    cluster.kill('SIGKILL');
    assert.deepEqual(await cluster.masterExit(), { code: null, signal: 'SIGKILL' });
    await cluster.exit();
    await cluster.assertNothingLeft();
    assertInOrder(cluster.stderr, [
      ` ${agent} [agent_worker] receive disconnect event on child_process fork mode, exiting with code:110\n`,
      ` ${agent} [agent_worker] exit with code:110\n`,
    ]);
    assert.ok(cluster.stdout.includes(`[probe] agent ${agent} closes\n`));
    assert.ok(cluster.stderr.includes(
      ` ${other} [app_worker] receive disconnect event in cluster fork mode, exitedAfterDisconnect:false\n`));
    assert.ok(!cluster.stdout.includes(`[probe] app ${other} closes\n`));
    assert.doesNotMatch(cluster.stdout, /\[master\] (master is killed|close done|exit with)/);
  });

  it('leaves nothing when the master is killed by SIGKILL while the agent stands still', async () => {
    const { cluster, agent, apps } = await started();
    const agentProcess = processes.look(agent);
    await ask(cluster, agent, 'block');
    cluster.kill('SIGKILL');
    await cluster.exit();
    await cluster.assertNothingLeft();
    assert.ok(!processes.isAlive(agentProcess));
    for (const pid of apps) assert.ok(cluster.stderr.includes(` ${pid} [app_worker] receive disconnect event`));
  });
});
