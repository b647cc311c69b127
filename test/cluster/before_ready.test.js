'use strict';
// What processes send while the cluster starts: it is kept for those that are not there yet.

const assert = require('node:assert/strict');
const { master } = require('../helpers/folder_cluster');
const { orderMaster } = require('../helpers/master_order');
const { ask } = require('../helpers/probe');
const { Subject } = require('./shared/subject');
const { WAYS, processes } = require('./shared/ways');

const INSTALL_LIMIT_MS = 300000;
const COUNT = 50;

const placesFrom = (news, sender) => news.filter(entry => entry.sender === sender).map(({ place }) => place);
const all = Array.from({ length: COUNT }, (_, place) => place);

for (const [way, { name, env, options, meet }] of Object.entries(WAYS)) {
  describe(`messages before egg-ready ${way}`, function () {
    this.timeout(INSTALL_LIMIT_MS);

    it('reach every app, in order and once, from the agent before there is an app, and from apps', async () => {
      const subject = new Subject(name);
      await subject.lay();
      const early = JSON.stringify([
        { role: 'agent', method: 'sendToApp', count: COUNT }, { role: 'app', method: 'sendToAgent', count: COUNT },
        { role: 'app', method: 'sendToApp', count: COUNT },
      ]);
      const cluster = await subject.start(await options(), { env: { ...env, PROBE_EARLY: early } });
      const { agent, apps } = await meet(cluster);
      // Behind all that was sent before.
      for (const sender of [agent, ...apps]) await ask(cluster, sender, 'send', { method: 'broadcast', args: ['fence', { sender, place: 0 }] });
      for (const receiver of [agent, ...apps]) await ask(cluster, receiver, 'when', { action: 'fence', count: 3 });
      for (const receiver of apps) {
        const news = await ask(cluster, receiver, 'received', 'news');
        for (const sender of [agent, ...apps]) assert.deepEqual(placesFrom(news, sender), all, `${sender} → ${receiver}`);
      }
      const news = await ask(cluster, agent, 'received', 'news');
      for (const sender of apps) assert.deepEqual(placesFrom(news, sender), all, `${sender} → ${agent}`);
    });
  });
}

describe('too many messages before egg-ready', () => {
  it('are given up, and that is told and said', async () => {
    const subject = new Subject('embedded');
    const early = JSON.stringify([{ role: 'agent', method: 'sendToApp', count: 1500 }]);
    const cluster = await subject.start({}, { env: { PROBE_EARLY: early }, starter: master('asks_and_replies') });
    const { agent, apps } = await processes(cluster);
    await cluster.waitFor(() => cluster.messages.some(message => message?.action === 'master-dropped'), { what: 'the event' });
    const { data } = cluster.messages.find(message => message?.action === 'master-dropped');
    assert.deepEqual(data, { reason: 'not-started', action: 'news', count: 1500 - 1024, from: { role: 'agent', pid: agent }, to: { role: 'app', pid: null } });
    assert.equal((await orderMaster(cluster, 'status')).result.droppedMessages, 1500 - 1024);
    await cluster.output(/\[master\] a message to apps that have not been started was given up \(1 so far\)/);
    await ask(cluster, agent, 'send', { method: 'sendToApp', args: ['fence', 'after'] });
    for (const app of apps) {
      await ask(cluster, app, 'when', { action: 'fence', last: 'after' });
      assert.equal((await ask(cluster, app, 'received', 'news')).length, 1024);
    }
  });
});
