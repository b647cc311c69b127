'use strict';
// Junk from the agent and from the master's parent, and a connection in the hands of a worker that breaks its channel.

const assert = require('node:assert/strict');
const { startFolder, started, startedPids } = require('../helpers/folder_cluster');
const { order, tell } = require('../helpers/orders');
const { Traffic, askOnce } = require('../helpers/traffic');

describe('junk on the channel of the agent', () => {
  for (const [what, command, argument, reason] of [
    ['a line that is not JSON', 'junk', { text: 'FATAL ERROR: heap out of memory\n' }, /not JSON: expected value at line 1 column 1/],
    ['a line of 100 MB', 'junk', { fill: 100_000_000 }, /broken frame: a line is longer than 67108864 bytes/],
    ['a descriptor that nothing speaks of', 'junkWithDescriptor', { text: '"descriptor"\n' }, /a descriptor came with a frame that is no NODE_HANDLE/],
  ]) {
    it(`drops the agent that sends ${what}, starts another one, and no app notices`, async () => {
      const cluster = await startFolder('writes_junk');
      const { port } = await cluster.ready();
      const [app] = startedPids(cluster);
      const traffic = new Traffic(port);
      const agent = cluster.agentPid();
      tell(cluster, agent, command, argument);
      const [line] = await cluster.output(new RegExp(`agent_worker#1:${agent} is dropped: .*`));
      assert.match(line, reason);
      await cluster.output(/agent_worker#2:\d+ started/);
      await cluster.message('agent-worker-died');
      await order(cluster, app, 'round');
      await traffic.stop();
      assert.deepEqual(traffic.failures, []);
      assert.equal(startedPids(cluster).length, 2);
    });
  }
});

describe('junk from the parent of the master', () => {
  it('says what it drops, and goes on', async () => {
    const cluster = await startFolder('writes_junk');
    const { port } = await cluster.ready();
    const traffic = new Traffic(port);
    const [app] = startedPids(cluster);
    const junk = [null, 42, true, [{ action: 'order' }], '', {}, { action: { to: 'app' } }, { to: 7, action: 'x' },
      { to: 'nowhere' }, { receiverPid: app }, { receiverPid: '0' }, { to: 'app', action: '\ud800' },
      { to: 'app', action: 'deep', data: JSON.parse(`${'['.repeat(1000)}${']'.repeat(1000)}`) }];
    for (const message of junk) cluster.send(message);
    await order(cluster, app, 'round');
    await traffic.stop();
    assert.deepEqual(traffic.failures, []);
    const dropped = () => [...cluster.stdout.matchAll(/dropped a message of the parent process/g)].length;
    await cluster.waitFor(() => dropped() >= 4, { what: 'four lines of what was dropped' });
    assert.equal(dropped(), 4);
    assert.equal(cluster.stderr, '');
  });
});

describe('a connection in the hands of a worker that breaks its channel', () => {
  it('is closed and not dealt again, because its request may have been read', async () => {
    const cluster = await startFolder('writes_junk', { workers: 1 });
    const { port } = await cluster.ready();
    const [victim] = startedPids(cluster);
    await order(cluster, victim, 'junkBeforeNextAnswer');
    const { error } = await askOnce(port, '/');
    assert.match(error, /^(ECONNRESET|CUT .*)$/);
    await cluster.output(new RegExp(`${victim} is dropped: not JSON`));
    await started(cluster, 1);
    assert.equal((await askOnce(port, '/')).body, String(startedPids(cluster)[1]));
  });
});
