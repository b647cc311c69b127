'use strict';

// The library `graceful`, as egg and the embedded framework use it, ends an app after an exception that nobody caught.

const assert = require('node:assert/strict');
const { getJson } = require('../../helpers/http_client');
const { told } = require('../../helpers/probe');
const processes = require('../../helpers/processes');

/** What egg keeps open holds a drained process until graceful's 30 seconds are over; it may also be asked to leave. */
function hasten(pid) {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

module.exports = service => describe('after an exception that nobody caught in an app', () => {
  let thrower;
  let replacement;
  let answer;

  before(async () => {
    await service.forget();
    answer = getJson(service.cluster.options.port, '/hold');
    thrower = processes.look((await told(service.cluster, 'probe-holding')).pid);
    const next = Math.max(...[...service.cluster.stdout.matchAll(/app_worker#(\d+):/g)].map(found => Number(found[1]))) + 1;
    await service.ask(thrower.pid, 'throwUncaught');
    const [, pid] = await service.cluster.output(new RegExp(`app_worker#${next}:(\\d+) started at`));
    replacement = Number(pid);
  });

  it('has forked a replacement while the old process is still there to answer', () => {
    assert.ok(processes.isAlive(thrower));
    assert.notEqual(replacement, thrower.pid);
    assert.match(service.cluster.stderr, new RegExp(String.raw`\[graceful:worker:${thrower.pid}:uncaughtException\] throw error 1 times`));
  });

  it('tells the agent by a bare string', async () => {
    await service.ask(service.agent, 'when', { action: 'graceful:disconnect' });
    assert.deepEqual(await service.ask(service.agent, 'raw', 'graceful:disconnect'),
      [{ action: 'graceful:disconnect', data: 'graceful:disconnect', from: 'app', to: 'agent' }]);
  });

  it('gives new connections to the others only', async () => {
    for (let sent = 0; sent < 20; sent++) assert.notEqual((await getJson(service.cluster.options.port)).pid, thrower.pid);
  });

  it('answers the request that was in flight, and has no further fork made when the old process goes', async () => {
    process.kill(thrower.pid, 'SIGUSR2');
    assert.equal((await answer).pid, thrower.pid);
    hasten(thrower.pid);
    await service.cluster.output(new RegExp(`worker:${thrower.pid} exit \\(`));
    assert.deepEqual(await processes.waitUntilGone(() => [thrower].filter(processes.isAlive)), []);
    await service.ask(service.agent, 'facts');
    assert.equal(service.apps.length, 2);
    assert.ok(service.apps.includes(replacement));
  });
});
