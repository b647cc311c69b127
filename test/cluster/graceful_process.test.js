'use strict';

// The library graceful-process, called by an app and an agent beside what the worker scripts do themselves.

const assert = require('node:assert/strict');
const { assertInOrder } = require('../helpers/lines');
const { Subject, NAMES } = require('./shared/subject');

const INSTALL_LIMIT_MS = 300000;

for (const name of NAMES.filter(name => name !== 'embedded')) {
  describe(`graceful-process in the workers of an ${name} app`, () => {
    const subject = new Subject(name);

    before(async function () {
      this.timeout(INSTALL_LIMIT_MS);
      await subject.lay();
    });

    async function started() {
      const cluster = await subject.start({ workers: 1 }, { env: { PROBE_LEANS_ON: 'graceful-process' } });
      await cluster.ready();
      return cluster;
    }

    it('exits with 0 at SIGTERM', async () => {
      const cluster = await started();
      assert.deepEqual(await cluster.stop(), { code: 0, signal: null });
      for (const role of ['app', 'agent']) {
        assertInOrder(cluster.stdout, [
          `[leaning ${role}] receive signal SIGTERM, exiting with code:0\n`,
          `[leaning ${role}] exit with code:0\n`,
        ]);
      }
      assert.equal(cluster.stderr, '');
    });

    it('exits with 110 in the agent, and at once in the app, when the master is gone', async () => {
      const cluster = await started();
      cluster.kill('SIGKILL');
      await cluster.exit();
      await cluster.assertNothingLeft();
      // The worker script and the library both end the agent; whoever heard of it first may be faster.
      assertInOrder(cluster.stderr, ['[leaning agent] exit with code:110\n']);
      assertInOrder(cluster.stderr, ['[leaning app] receive disconnect event in cluster fork mode, exitedAfterDisconnect:false\n']);
      assert.ok(!cluster.stdout.includes('[probe] app'));
    });
  });
}
