'use strict';
// What goes wrong when a dead worker is to be replaced: it is tried again with back-off, said each time, and never given up, while
// those that are left serve.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { startFolder, started, startedPids, master } = require('../helpers/folder_cluster');
const { get } = require('../helpers/http_client');
const { descriptorsAtRest, limitDescriptors } = require('../helpers/resources');
const { runFolder } = require('../helpers/run_folder');
const { Traffic } = require('../helpers/traffic');

/** A cluster whose node binary is a link, which can be taken away. */
async function startOnLink(options) {
  const link = path.join(fs.mkdtempSync(path.join(runFolder(), 'bin')), 'node');
  fs.symlinkSync(process.execPath, link);
  const settings = { starter: master('altered'), env: { ALTERED: JSON.stringify({ execPath: link }) } };
  return { link, cluster: await startFolder('writes_junk', options, settings) };
}

function restore(link) {
  fs.rmSync(link);
  fs.symlinkSync(process.execPath, link);
}

const count = (text, pattern) => [...text.matchAll(new RegExp(pattern, 'g'))].length;

describe('a worker that dies when no new one can be forked', () => {
  for (const [what, spoil, reason] of [
    ['the node binary is gone', link => fs.symlinkSync('/no/such/node', link), /execve: ENOENT/],
    ['the node binary may not be executed any more', link => fs.writeFileSync(link, '', { mode: 0o644 }), /execve: EACCES/],
  ]) {
    it(`is replaced after ${what} for a while, and the others serve meanwhile`, async () => {
      const { link, cluster } = await startOnLink();
      const { port } = await cluster.ready();
      await started(cluster, 1);
      const [victim, other] = startedPids(cluster);
      const traffic = new Traffic(port);
      fs.rmSync(link);
      spoil(link);
      traffic.kill(victim);
      await cluster.waitFor(() => count(cluster.stderr, 'app_worker#\\d+ could not be forked') >= 3, { what: 'three forks in vain' });
      assert.match(cluster.stderr, reason);
      assert.match(cluster.stdout, /\[master\] slot \d is filled again after \d+ms \(2 deaths in a row, it keeps dying\)/);
      assert.match(cluster.stdout, /\[master\] slot \d is filled again after \d+ms \(3 deaths in a row, it keeps dying\)/);
      assert.equal((await get(port)).body, String(other));
      restore(link);
      await started(cluster, 2);
      await traffic.stop();
      assert.deepEqual(traffic.unexcused(cluster, [victim]), []);
      assert.equal(cluster.appPids().length, 2);
    });
  }

  it('is replaced when there are descriptors again', async () => {
    const { cluster } = await startOnLink();
    const { port } = await cluster.ready();
    await started(cluster, 1);
    const [victim] = startedPids(cluster);
    const before = await descriptorsAtRest(cluster.pid, 3);
    const limit = limitDescriptors(cluster.pid, 10);
    process.kill(victim, 'SIGKILL');
    await cluster.waitFor(() => count(cluster.stderr, 'app_worker#\\d+ could not be forked: .*EMFILE') >= 2, { what: 'two forks in vain' });
    limitDescriptors(cluster.pid, limit);
    await started(cluster, 2);
    assert.equal((await get(port)).status, 200);
    assert.equal(await descriptorsAtRest(cluster.pid, 3), before);
  });
});

describe('an agent that dies when no new one can be forked', () => {
  it('is tried again every second until it is there, and the apps serve meanwhile', async () => {
    const { link, cluster } = await startOnLink();
    const { port } = await cluster.ready();
    const agent = cluster.agentPid();
    const traffic = new Traffic(port);
    fs.rmSync(link);
    process.kill(agent, 'SIGKILL');
    await cluster.waitFor(() => count(cluster.stderr, 'agent_worker#\\d+ could not be forked: .*ENOENT') >= 2, { what: 'two forks in vain' });
    fs.symlinkSync(process.execPath, link);
    await cluster.output(/agent_worker#\d+:\d+ started/, { what: 'a new agent' });
    await cluster.waitFor(() => count(cluster.stdout, 'agent_worker#\\d+:\\d+ started') === 2, { what: 'the second agent' });
    await traffic.stop();
    assert.deepEqual(traffic.failures, []);
  });
});

describe('a worker whose successors do not boot', () => {
  it('is replaced as soon as the cause is gone, after growing pauses', async () => {
    const cause = path.join(fs.mkdtempSync(path.join(runFolder(), 'cause')), 'file');
    const cluster = await startFolder('dies_while_booting', {}, { env: { DIES_WHILE: cause } });
    const { port } = await cluster.ready();
    await started(cluster, 1);
    const [victim, other] = startedPids(cluster);
    fs.writeFileSync(cause, '');
    process.kill(victim, 'SIGKILL');
    await cluster.waitFor(() => count(cluster.stderr, 'not before the cause is gone') >= 3, { what: 'three boots in vain' });
    await cluster.output(/slot \d is filled again after \d+ms \(2 deaths in a row, it keeps dying\)/);
    assert.equal((await get(port)).body, String(other));
    fs.rmSync(cause);
    await started(cluster, 2);
    assert.equal(cluster.appPids().length, 2);
  });

  it('is replaced when the first successor is killed in the moment it listens', async () => {
    const cluster = await startFolder('dies_when_listening', {}, { env: { DIES_WHEN: 'before,3' } });
    await cluster.ready();
    await started(cluster, 1);
    process.kill(startedPids(cluster)[0], 'SIGKILL');
    await cluster.output(/app_worker#4:\d+ started at/);
    assert.doesNotMatch(cluster.stdout, /app_worker#3:\d+ started/);
  });

  it('is replaced when the first successor is killed right after it said that it listens', async () => {
    const cluster = await startFolder('dies_when_listening', {}, { env: { DIES_WHEN: 'after,3' } });
    const { port } = await cluster.ready();
    await started(cluster, 1);
    process.kill(startedPids(cluster)[0], 'SIGKILL');
    await cluster.output(/app_worker#3:\d+ started at/);
    await cluster.output(/app_worker#4:\d+ started at/);
    assert.equal((await get(port)).status, 200);
  });
});
