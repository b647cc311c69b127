'use strict';

// Who receives what: all methods of egg's messenger, from the agent and from an app.

const assert = require('node:assert/strict');

let fences = 0;

// Beyond the largest pid that Linux gives, and no thread's id.
const NOBODYS_PID = 2 ** 23;

/**
 * Lets `sender` do something and resolves to { pid: [data, …] } of the action 'news' in every process. What it sends last reaches
 * everybody after all else, so nothing is missed and nothing more can come.
 */
async function newsAfter(service, sender, act) {
  await service.forget();
  await act();
  const last = fences += 1;
  await service.ask(sender, 'send', { method: 'broadcast', args: ['fence', last] });
  const news = {};
  for (const pid of service.everybody) {
    await service.ask(pid, 'when', { action: 'fence', last });
    news[pid] = await service.ask(pid, 'received', 'news');
  }
  return news;
}

module.exports = service => describe('the messenger', () => {
  const { layerVersion, frameworkName } = service.subject;
  let who;

  before(() => {
    const [first, second] = service.apps;
    who = { agent: [service.agent], first: [first], second: [second], apps: [first, second], everybody: service.everybody, nobody: [] };
  });

  async function assertReceivers(sender, method, args, expected) {
    const news = await newsAfter(service, sender, () => service.ask(sender, 'send', { method, args }));
    const data = args.find(argument => argument?.about);
    for (const pid of service.everybody) assert.deepEqual(news[pid], expected.includes(pid) ? [data] : [], `in ${pid}`);
  }

  // Until the agent is restarted, nothing tells an app of egg 3 who the agent is, and its own sendRandom has nobody to choose from.
  const randomFromApp = layerVersion === 2 && frameworkName === 'egg' ? 'nobody' : 'agent';
  const data = { about: 'everything' };
  const CASES = [
    ['agent', 'broadcast', () => ['news', data], 'everybody'],
    ['agent', 'sendToApp', () => ['news', data], 'apps'],
    ['agent', 'sendToAgent', () => ['news', data], 'agent'],
    ['agent', 'sendTo', () => [who.second[0], 'news', data], 'second'],
    ['agent', 'sendTo', () => [String(who.first[0]), 'news', data], 'first'],
    ['agent', 'sendTo', () => [who.agent[0], 'news', data], 'agent'],
    ['agent', 'send', () => ['news', data, 'app'], 'apps'],
    ['agent', 'send', () => ['news', data, 'agent'], 'agent'],
    ['agent', 'send', () => ['news', data], 'apps'],
    ['first', 'broadcast', () => ['news', data], 'everybody'],
    ['first', 'sendToApp', () => ['news', data], 'apps'],
    ['first', 'sendToAgent', () => ['news', data], 'agent'],
    ['first', 'sendRandom', () => ['news', data], randomFromApp],
    ['first', 'sendTo', () => [who.second[0], 'news', data], 'second'],
    ['first', 'sendTo', () => [who.first[0], 'news', data], 'first'],
    ['first', 'sendTo', () => [who.agent[0], 'news', data], 'agent'],
    ['first', 'send', () => ['news', data, 'app'], 'apps'],
    ['first', 'send', () => ['news', data, 'agent'], 'agent'],
    ['first', 'send', () => ['news', data], 'agent'],
    ['first', 'send', () => ['news', data, 'nowhere'], 'nobody'],
    ['first', 'sendTo', () => [NOBODYS_PID, 'news', data], 'nobody'],
  ];
  for (const [sender, method, args, receivers] of CASES) {
    const shown = args.toString().replace(/^\(\) => /, '').replace(/'news', data/, '…').replace(/\[0\]/g, '');
    it(`brings ${method}(${shown.slice(1, -1)}) of the ${sender === 'agent' ? 'agent' : 'first app'} to ${receivers}`, async () => {
      await assertReceivers(who[sender][0], method, args(), who[receivers]);
    });
  }

  it('brings each sendRandom of the agent to one app, and to every app in the long run', async () => {
    const count = 100;
    const news = await newsAfter(service, who.agent[0],
      () => service.ask(who.agent[0], 'flood', { method: 'sendRandom', args: ['news'], count }));
    assert.deepEqual(news[who.agent[0]], []);
    const places = who.apps.flatMap(pid => news[pid].map(({ place }) => place));
    assert.deepEqual(places.sort((a, b) => a - b), Array.from({ length: count }, (_, place) => place));
    for (const pid of who.apps) assert.notEqual(news[pid].length, 0);
  });

  it('fills in who sent a message and to whom, and leaves fields that it does not know', async () => {
    const [app] = who.first;
    await newsAfter(service, app, () => service.ask(app, 'sendRaw', { action: 'news', data: 1, from: 'parent', extra: { kept: [true] } }));
    assert.deepEqual(await service.ask(who.agent[0], 'raw', 'news'),
      [{ action: 'news', data: 1, from: 'app', to: 'agent', extra: { kept: [true] } }]);
  });

  it('takes a bare string for a message with that action and that data', async () => {
    const [app] = who.first;
    await newsAfter(service, app, () => service.ask(app, 'sendRaw', 'news'));
    assert.deepEqual(await service.ask(who.agent[0], 'raw', 'news'), [{ action: 'news', data: 'news', from: 'app', to: 'agent' }]);
  });

  it('keeps the order of 2,000 messages per sender and receiver, while all send to all', async () => {
    const count = 2000;
    await service.forget();
    await Promise.all(service.everybody.map(pid => service.ask(pid, 'flood', { method: 'broadcast', args: ['news'], count })));
    const expected = Array.from({ length: count }, (_, place) => place);
    for (const pid of service.everybody) {
      const news = await service.ask(pid, 'when', { action: 'news', count: count * service.everybody.length });
      assert.equal(news.length, count * service.everybody.length);
      for (const sender of service.everybody) {
        assert.deepEqual(news.filter(entry => entry.sender === sender).map(({ place }) => place), expected, `${sender} → ${pid}`);
      }
    }
  });
});
