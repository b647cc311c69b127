'use strict';

// The process that started the master takes part in the talk.

const assert = require('node:assert/strict');

module.exports = service => describe('the parent', () => {
  let about = 0;

  async function received(message, expected) {
    await service.forget();
    service.cluster.send({ action: 'news', data: about += 1, ...message });
    // What the parent sends later to everybody comes later.
    for (const to of ['app', 'agent']) service.cluster.send({ action: 'fence', data: about, to });
    for (const pid of service.everybody) {
      await service.ask(pid, 'when', { action: 'fence', last: about });
      const news = await service.ask(pid, 'raw', 'news');
      const to = pid === service.agent ? 'agent' : 'app';
      assert.deepEqual(news, expected.includes(pid) ? [{ action: 'news', data: about, ...message, from: 'parent', to }] : [], `in ${pid}`);
    }
  }

  it('reaches all apps', () => received({ to: 'app' }, service.apps));

  it('reaches the agent', () => received({ to: 'agent' }, [service.agent]));

  it('reaches one process by its pid', async () => {
    await received({ receiverPid: String(service.apps[1]) }, [service.apps[1]]);
    await received({ receiverPid: String(service.agent) }, [service.agent]);
  });

  it('speaks to the master where it names nobody', () => received({}, []));

  it('hears what an app or the agent sends to it', async () => {
    for (const [pid, from] of [[service.apps[0], 'app'], [service.agent, 'agent']]) {
      await service.ask(pid, 'send', { method: 'send', args: [`hello from ${from}`, { pid }, 'parent'] });
      assert.deepEqual(await service.cluster.message(`hello from ${from}`), { action: `hello from ${from}`, data: { pid }, from, to: 'parent' });
    }
  });

  it('may send what is no message at all', async () => {
    for (const junk of ['a string', 7, null, [], {}, { action: 1 }, { action: 'news', to: { no: 'name' } }]) service.cluster.send(junk);
    await received({ to: 'app' }, service.apps);
  });
});
