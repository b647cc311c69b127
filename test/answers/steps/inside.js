'use strict';

// What the app knows of itself and of its cluster, and messages between its processes.

const { withoutOverrides, withoutUnusedReusePort, withoutConnectionListeners } = require('../differences');

/** Pids stand in messages as numbers and as texts. */
function namePids(value, pids) {
  return JSON.parse(JSON.stringify(value), (_, item) => pids.get(Number(item)) ?? item);
}

function facts(of, pids) {
  const { pid, ppid, received } = namePids({ pid: of.pid, ppid: of.ppid, received: of.received }, pids);
  return { ...of, pid, ppid, received, options: withoutUnusedReusePort(of.options) };
}

/** The body as it was meant; its length is that of pids and folders too, which differ. */
async function parsed(asking, readable = body => body) {
  const answer = await asking;
  return { ...answer, headers: answer.headers.filter(line => !/^content-length:/i.test(line)), body: readable(JSON.parse(answer.body)) };
}

module.exports = step => {
  step('the hooks of the start, in their order', /serverDidReady.*serverDidReady/, shop => shop.get('/inside/hooks'));
  step('the whole config', /set before the config was read/, shop => parsed(shop.get('/inside/config'), withoutOverrides));
  step('the options of the app', /the shop/, shop => parsed(shop.get('/inside/options'), withoutUnusedReusePort));
  step('the server, and who listens to it', /upgrade: 1/, shop => parsed(shop.get('/inside/server'), withoutConnectionListeners));
  step('every process as its own code sees it', 200, shop => (
    parsed(shop.get('/inside/processes'), ({ agent, apps }) => ({
      agent: facts(agent, shop.pids), apps: apps.map(app => facts(app, shop.pids)),
    }))));
  step('what every schedule did', /"workers":2/, shop => shop.get('/inside/schedule'));
  step('an order that a schedule of its own hands to some app', /Candle/, shop => shop.post('/api/order', { number: 7, product: 5 }));
  step('a counter of the agent, and its copies', [200, 200, 200], async shop => [
    await shop.post('/api/counter', { number: 5 }),
    await shop.post('/api/counter', { number: -2 }),
    await shop.get('/inside/counter'),
  ]);
  step('what an app tells the parent', /shop-messenger/, async shop => {
    const { cluster } = shop;
    const answer = await shop.post('/api/parent', { text: 'good news' });
    return [answer, await cluster.message('shop-raw'), await cluster.message('shop-messenger')];
  });
  step('what the parent tells the apps and the agent', /to the agent.*to the app.*to the app/, async shop => {
    for (const to of ['app', 'agent']) shop.cluster.send({ action: 'shop-news', to, data: { text: `to the ${to}` }, extra: 1 });
    const answer = await parsed(shop.get('/inside/journal?topic=news&count=3'));
    // The agent and the apps hear it at the same time.
    return { ...answer, body: answer.body.sort((one, other) => one.to.localeCompare(other.to)) };
  });
};
