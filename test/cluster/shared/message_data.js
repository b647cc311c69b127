'use strict';

// What becomes of the data on the way: what JSON makes of it, and nothing else.

const assert = require('node:assert/strict');
const { specials } = require('../../fixtures/probe/specials');

const MEGABYTE = 1 << 20;

module.exports = service => describe('the data of a message', () => {
  const ways = () => {
    const [first, second] = service.apps;
    return [[first, service.agent], [service.agent, second], [first, second], [first, first], [service.agent, service.agent]];
  };

  it('arrives as JSON makes it, whichever way it goes', async () => {
    for (const [from, to] of ways()) {
      await service.forget();
      await service.ask(from, 'sendSpecials', { method: 'sendTo', args: [to, 'news'] });
      const [data] = await service.ask(to, 'when', { action: 'news' });
      assert.deepEqual(data, JSON.parse(JSON.stringify(specials())), `${from} → ${to}`);
    }
  });

  for (const [what, data] of [['nothing', undefined], ['null', null], ['false', false], ['zero', 0], ['an empty text', ''], ['a list', [1, [2]]]]) {
    it(`may be ${what}`, async () => {
      const [first, second] = service.apps;
      await service.forget();
      await service.ask(first, 'send', { method: 'sendTo', args: [second, 'news', data] });
      const news = await service.ask(second, 'when', { action: 'news' });
      assert.deepEqual(news, [data ?? null]);
    });
  }

  for (const megabytes of [1, 8]) {
    it(`arrives whole if it has ${megabytes} MB, whichever way it goes`, async () => {
      for (const [from, to] of ways()) {
        await service.forget();
        const sent = await service.ask(from, 'sendLong', { method: 'sendTo', args: [to, 'news'], length: megabytes * MEGABYTE });
        const [received] = await service.ask(to, 'when', { action: 'news' });
        assert.deepEqual(received, sent, `${from} → ${to}`);
        assert.equal(received.length, megabytes * MEGABYTE);
      }
    });
  }

  it('may come under any action', async () => {
    const [app] = service.apps;
    for (const action of ['', 'with "quotes" and \\', '\ud83d', '\u2028', '__proto__', 'NODE_CLUSTER', 'a'.repeat(100000)]) {
      await service.forget();
      await service.ask(app, 'send', { method: 'send', args: [action, 1, 'agent'] });
      await service.ask(app, 'send', { method: 'sendToAgent', args: ['fence', 0] });
      await service.ask(service.agent, 'when', { action: 'fence' });
      assert.deepEqual(await service.ask(service.agent, 'raw', action), [{ action, data: 1, from: 'app', to: 'agent' }]);
    }
  });

  it('is a copy that comes later, even to the sender itself', async () => {
    const [app] = service.apps;
    for (const [pid, method] of [[app, 'sendToApp'], [service.agent, 'sendToAgent'], [app, 'broadcast']]) {
      const { atOnce, copy } = await service.ask(pid, 'sendToSelf', { method, args: ['news'] });
      assert.equal(atOnce, false, method);
      assert.deepEqual(copy, { nested: { value: 1 } }, method);
    }
  });

  it('does not make the master read another action than the envelope has', async () => {
    const [app] = service.apps;
    await service.forget();
    const data = { action: 'egg-ready', to: 'parent', receiverPid: String(service.agent), from: 'master' };
    await service.ask(app, 'send', { method: 'sendToApp', args: ['news', data] });
    for (const pid of service.apps) assert.deepEqual(await service.ask(pid, 'when', { action: 'news' }), [data]);
    assert.deepEqual(await service.ask(service.agent, 'received', 'news'), []);
  });
});
