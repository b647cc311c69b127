'use strict';

// Clusters that cannot serve any more: the master looks every ten seconds, and the third time it ends. Meanwhile the other lives are
// lived, of which most of the contract is asked.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { assertInOrder, countOf } = require('../helpers/lines');
const { runFolder } = require('../helpers/run_folder');
const { scenario } = require('./contract');
const { toParent } = require('./life');
const { logged, loggedError, timeOf } = require('./log');

const LIVES = ['production', 'development', 'failed_start', 'stop'];
const THREE_CHECKS_MS = 30000;
const WATCHDOG_MS = 90000;

/** A cluster of one app whose `role` dies, and comes to nothing when it is forked again. */
async function lose(subject, role, how, env) {
  const file = path.join(runFolder(), `no ${role} in ${env} of ${subject.name}`);
  const cluster = await subject.start({ workers: 1, env }, { fault: { role, how, file } });
  await cluster.ready();
  fs.writeFileSync(file, '');
  process.kill(cluster.pids(role)[0], 'SIGKILL');
  await cluster.message(`${role}-worker-died`);
  return cluster;
}

function assertGivenUp(cluster, count) {
  assert.deepEqual(cluster.ended, { code: 1, signal: null });
  const text = String.raw`${count.agent} agent and ${count.worker} worker\(s\) alive, exit to avoid unknown state`;
  assertInOrder(cluster.stderr, [loggedError(cluster, 'ClusterWorkerExceptionError', text), logged(cluster, 'exit with code:1', { level: 'ERROR' })]);
  assert.match(cluster.stderr, new RegExp(`^count: ${JSON.stringify(count)}$`, 'm'));
}

scenario('clusters whose apps or agent do not come back', {
  async start(subject) {
    const [local, appless, agentless] = await Promise.all([
      lose(subject, 'app', 'exit', 'local'),
      lose(subject, 'app', 'exit', 'prod'),
      lose(subject, 'agent', 'hang', 'prod'),
    ]);
    return { local, appless, agentless };
  },
}, (_line, step) => {
  for (const life of LIVES) require(`./lives/${life}`);

  step('after the third bad check', async ({ appless, agentless }) => {
    for (const cluster of [appless, agentless]) {
      await cluster.exit({ timeoutMs: WATCHDOG_MS });
      await cluster.assertNothingLeft();
    }
  }, line => {
    line('4.1.30', ({ appless, agentless }) => {
      assertGivenUp(appless, { agent: 1, worker: 0 });
      assertGivenUp(agentless, { agent: 0, worker: 1 });
    });

    line('7.4', ({ appless }) => assert.ok(countOf(appless.stdout, ' start, state: none') > 2),
      { stock: ({ appless }) => assert.equal(countOf(appless.stdout, ' start, state: none'), 2) });

    line('7.6', ({ local, appless, agentless }) => {
      for (const cluster of [appless, agentless]) {
        const [ready, end] = [timeOf(cluster.stdout, / started on /), timeOf(cluster.stderr, /ClusterWorkerExceptionError/)];
        // A timer may be early by a few milliseconds each time.
        assert.ok(end - ready > THREE_CHECKS_MS - 100, `it ended after ${end - ready} ms`);
      }
      assert.equal(local.ended, null);
      assert.deepEqual(toParent(local, 'app-worker-died').length, 1);
    });
  });
});
