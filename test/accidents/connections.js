'use strict';

// Connections and messages meet processes that are not there, not yet there, or deaf.

const { setTimeout: pause } = require('node:timers/promises');
const { get } = require('../helpers/http_client');
const { startedPids } = require('../helpers/folder_cluster');
const { ask } = require('../helpers/probe');
const { askOnce } = require('../helpers/traffic');
const { until } = require('../helpers/waiting');
const { signal } = require('./site');

const SLOW_MS = 1500;
const STUCK = { stuck: { steerAfter: '200ms', killAfter: '2s' } };

/** How many of these are not answered within the watchdog's time. */
async function unanswered(port, requests) {
  const answers = await Promise.all(requests.map(address => askOnce(port, '/', { localAddress: address })));
  return answers.filter(({ error }) => error !== undefined).length;
}

const times = (count, value) => new Array(count).fill(value);

/** A reload under four slow requests and short ones beside them. */
async function reload(site, { cluster, port, apps }) {
  const slow = times(4, '/hold').map(url => get(port, url).then(() => 0, () => 1));
  await until(() => cluster.messages.filter(({ action }) => action === 'probe-holding').length === 4, 'four slow requests');
  const begun = startedPids(cluster).length;
  cluster.send({ action: 'reload-worker', to: 'master' });
  const ended = pause(SLOW_MS).then(() => { for (const pid of apps) signal(pid, 'SIGUSR2'); });
  let short = 0;
  let isOver = false;
  const asking = (async () => {
    while (!isOver) short += await unanswered(port, [undefined]);
  })();
  await ended;
  const cut = (await Promise.all(slow)).reduce((sum, one) => sum + one, 0);
  await site.hasStarted(cluster, begun + 2);
  isOver = true;
  await asking;
  return { cut, short };
}

/** The number of workers once it stays the same. */
async function settled(cluster) {
  for (let count = -1; ;) {
    const now = cluster.appPids().length;
    if (now === count) return now;
    count = now;
    await pause(2000);
  }
}

module.exports = [{
  accident: 'a message to a pid while there is no agent',
  stock: 'it is lost, TypeError in the master',
  ours: 'it arrives',
  inCi: true,
  async play(site) {
    const { cluster, apps, agent } = await site.startReady();
    signal(agent, 'SIGKILL');
    await cluster.output(/agent_worker#1:\d+ died/);
    cluster.send({ action: 'news', receiverPid: String(apps[0]), data: 1 });
    await until(() => [...cluster.stdout.matchAll(/agent_worker#\d+:\d+ started/g)].length === 2, 'the next agent');
    const arrived = (await ask(cluster, apps[0], 'received', 'news')).length;
    return [arrived ? 'it arrives' : 'it is lost', ...(/TypeError/.test(cluster.stderr) ? ['TypeError in the master'] : [])].join(', ');
  },
}, {
  accident: 'sticky, and connections right after all workers were killed',
  stock: 'some are never answered',
  ours: 'all are answered',
  async play(site) {
    const { port, apps } = await site.startReady({ sticky: true });
    for (const pid of apps) signal(pid, 'SIGKILL');
    const lost = await unanswered(port, ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5', '127.0.0.6']);
    return lost ? 'some are never answered' : 'all are answered';
  },
}, {
  accident: 'a reload in production, with four requests of 1.5 s in flight',
  stock: 'slow ones are cut',
  ours: 'none is cut, nor is a short one beside them',
  async play(site) {
    const run = await site.startReady({}, { env: { EGG_APP_CLOSE_TIMEOUT: '5000' } });
    const { cut, short } = await reload(site, run);
    // Which of them, and whether short ones as well, is chance.
    if (cut) return 'slow ones are cut';
    return short ? 'short ones are cut' : 'none is cut, nor is a short one beside them';
  },
}, {
  accident: 'how many of two workers there are after one reload, and two',
  stock: '4, 6',
  ours: '2, 2',
  async play(site) {
    const { cluster } = await site.startReady();
    const counts = [];
    for (let turn = 1; turn <= 2; turn++) {
      cluster.send({ action: 'reload-worker', to: 'master' });
      await site.hasStarted(cluster, 2 + 2 * turn);
      counts.push(await settled(cluster));
    }
    return counts.join(', ');
  },
}, {
  accident: 'one of two workers is blocked, and twelve connections come',
  stock: '1 unanswered, never replaced',
  ours: '0 unanswered, replaced',
  async play(site) {
    const { cluster, port, apps } = await site.startReady(STUCK);
    await ask(cluster, apps[0], 'block');
    const lost = await unanswered(port, times(12));
    return `${lost} unanswered, ${await site.hasStarted(cluster, 3) ? 'replaced' : 'never replaced'}`;
  },
}, {
  accident: 'one of two workers of a group of reusePort is blocked, and forty connections come',
  stock: 'some unanswered, never replaced',
  ours: 'none unanswered, replaced',
  async play(site) {
    const { cluster, port, apps } = await site.startReady({ ...STUCK, reusePort: true });
    await ask(cluster, apps[0], 'block');
    // How many there are is up to the kernel, and to Node, before 23.1 of which the option means nothing to stock.
    const lost = await unanswered(port, times(40));
    return `${lost ? 'some' : 'none'} unanswered, ${await site.hasStarted(cluster, 3) ? 'replaced' : 'never replaced'}`;
  },
}];
