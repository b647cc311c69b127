'use strict';

// In env local a developer wants to see a death, not a replacement.

const assert = require('node:assert/strict');
const { getJson } = require('../../helpers/http_client');
const { ask } = require('../../helpers/probe');

module.exports = subject => describe('in env local', () => {
  let cluster;

  before(async () => {
    cluster = await subject.start({ env: 'local' });
    await cluster.ready();
  });
  after(() => cluster.stop());

  it('keeps the chatty lines to itself', () => {
    assert.doesNotMatch(cluster.stdout, /start with clusterPort|started at|start appWorker/);
    assert.match(cluster.stdout, /\[master\] agent_worker#1:\d+ started \(\d+ms\)/);
    assert.equal(cluster.stderr, '');
  });

  it('does not replace a killed app, and tells the parent', async () => {
    const [first, second] = cluster.appPids();
    process.kill(first, 'SIGKILL');
    await cluster.message('app-worker-died');
    await cluster.output(`don't fork new work (refork: false${subject.layerVersion === 3 ? ', reforkCount: 0' : ''})\n`);
    // The way there and back goes through the master, which would have forked by now.
    assert.equal((await ask(cluster, second, 'facts')).pid, second);
    assert.deepEqual(cluster.appPids(), [second]);
    assert.equal((await getJson(cluster.options.port)).pid, second);
  });

  it('replaces the agent all the same', async () => {
    const agent = cluster.agentPid();
    process.kill(agent, 'SIGKILL');
    await cluster.message('agent-worker-died');
    const [, pid] = await cluster.output(/agent_worker#2:(\d+) started/);
    assert.equal(cluster.agentPid(), Number(pid));
    assert.notEqual(Number(pid), agent);
  });

  it('exits with 0 at SIGINT, and leaves nothing', async () => {
    assert.deepEqual(await cluster.stop('SIGINT'), { code: 0, signal: null });
    assert.match(cluster.stdout, /\[master\] master is killed by signal SIGINT, closing/);
  });
});
