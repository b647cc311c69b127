'use strict';
// Where there is no shared memory to be had, messages go by the master as they always did, and that is said once.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { ask } = require('../helpers/probe');
const { Subject } = require('../cluster/shared/subject');
const { WITHOUT_ADDON } = require('../cluster/shared/ways');

const KERNEL = path.join(__dirname, '..', 'fixtures', 'kernels', 'forbids.py');
const COUNT = 500;
const subject = new Subject('embedded');

function mapsMessages(pid) {
  return fs.readFileSync(`/proc/${pid}/maps`, 'utf8').includes('memfd:clutch-outbox');
}

function saidOf(cluster) {
  return (cluster.stdout + cluster.stderr).split('\n').filter(line => /messages go by the master/.test(line));
}

describe('a cluster without shared memory', () => {
  async function assertTalks(cluster) {
    const agent = cluster.agentPid();
    const apps = cluster.appPids();
    const everybody = [agent, ...apps];
    await assertTalk(cluster, agent, apps);
    assert.deepEqual(everybody.filter(mapsMessages), []);
  }

  /** All talk to all apps: each of the senders' messages comes once, in order. */
  async function assertTalk(cluster, agent, apps) {
    await ask(cluster, agent, 'flood', { method: 'sendToApp', args: ['news'], count: COUNT });
    await ask(cluster, apps[0], 'flood', { method: 'sendToApp', args: ['news'], count: COUNT });
    for (const pid of apps) {
      const news = await ask(cluster, pid, 'when', { action: 'news', count: 2 * COUNT });
      for (const sender of [agent, apps[0]]) {
        const places = news.filter(entry => entry.sender === sender).map(({ place }) => place);
        assert.deepEqual(places, Array.from({ length: COUNT }, (_, place) => place), `${sender} → ${pid}`);
      }
    }
  }

  async function startOn(forbidden) {
    const env = { NODE_ON_KERNEL: process.execPath, KERNEL_FORBIDS: forbidden };
    const cluster = await subject.start({}, { env, nodePath: KERNEL });
    await cluster.ready();
    return cluster;
  }

  for (const [forbidden, name, reason] of [
    ['memfd', 'where the kernel has no anonymous memory files', /cannot create shared memory: memfd_create/],
    ['seals', 'where it does not know the seal against writers', /cannot seal shared memory: fcntl/],
  ]) {
    it(`sends its messages by the master ${name}, and says so once`, async () => {
      const cluster = await startOn(forbidden);
      await assertTalks(cluster);
      const said = saidOf(cluster);
      assert.equal(said.length, 1, said.join('\n'));
      assert.match(said[0], reason);
    });
  }

  it('is one for the process alone that has no addon: it says so once, the others use theirs, and all hear all', async () => {
    const cluster = await subject.start({}, { env: { NODE_OPTIONS: `--require ${WITHOUT_ADDON}` } });
    await cluster.ready();
    const agent = cluster.agentPid();
    const [lacking, other] = cluster.appPids().sort((one, two) => mapsMessages(one) - mapsMessages(two));
    await assertTalk(cluster, agent, [lacking, other]);
    assert.deepEqual([agent, lacking, other].map(mapsMessages), [true, false, true]);
    await ask(cluster, other, 'flood', { method: 'sendTo', args: [lacking, 'fence'], count: COUNT });
    const fences = await ask(cluster, lacking, 'when', { action: 'fence', count: COUNT });
    assert.deepEqual(fences.map(({ place }) => place), Array.from({ length: COUNT }, (_, place) => place));
    const said = saidOf(cluster);
    assert.equal(said.length, 1, said.join('\n'));
    assert.match(said[0], new RegExp(` ${lacking} \\[messenger\\]`));
  });

  it('sends its messages by the master where the environment of the master says so, and says nothing', async () => {
    const cluster = await subject.start({}, { env: { EGG_CLUTCH_SWITCHBOARD: 'off' } });
    await cluster.ready();
    await assertTalks(cluster);
    assert.doesNotMatch(cluster.stdout + cluster.stderr, /by the master/);
  });
});
