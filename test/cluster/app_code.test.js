'use strict';
// The master supervises; an exception or a leak of the app must have no way to reach it.

const assert = require('node:assert/strict');
const { startFolder, startedPids } = require('../helpers/folder_cluster');

function pidsThatRan(cluster, kind) {
  return [...cluster.stdout.matchAll(new RegExp(`^${kind} code runs in (\\d+)$`, 'gm'))].map(match => Number(match[1]));
}

describe('the code of an app', () => {
  it('runs in the app workers and in the agent, and never in the master', async () => {
    const cluster = await startFolder('says_where_it_runs');
    await cluster.ready();
    assert.deepEqual(pidsThatRan(cluster, 'app').sort(), startedPids(cluster).sort());
    const agents = pidsThatRan(cluster, 'agent');
    assert.equal(agents.length, 1);
    assert.notEqual(agents[0], cluster.pid);
  });
});
