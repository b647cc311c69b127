'use strict';

// Agent and apps as threads of the master.

const assert = require('node:assert/strict');
const { freePort } = require('../helpers/free_port');
const { getJson } = require('../helpers/http_client');
const { ask } = require('../helpers/probe');
const { scenario } = require('./contract');

async function startThreads(subject, settings) {
  const ports = [await freePort(), await freePort()];
  const cluster = await subject.startEgg({ startMode: 'worker_threads', ports, env: 'unittest' }, settings);
  return { cluster, ports };
}

scenario('a cluster of threads', {
  async start(subject) {
    const { cluster, ports } = await startThreads(subject);
    await cluster.ready();
    const apps = [];
    for (const port of ports) apps.push((await getJson(port)).pid);
    const [, agent] = await cluster.output(/agent_worker#1:(\d+) start with worker_threads/);
    return { cluster, ports, apps, agent: Number(agent) };
  },
}, line => {
  line('2.11', async ({ cluster, agent, apps }) => {
    assert.equal(new Set(apps).size, 2);
    const [options] = await ask(cluster, agent, 'when', { action: 'egg-ready' });
    assert.equal(options.workers, 2);
  });

  line('12.1', async ({ cluster, ports, agent, apps }, { version }) => {
    if (version === 2) assert.equal(agent, 1);
    assert.match(cluster.stdout, /"startMode":"worker_threads"/);
    for (const id of [agent, ...apps]) {
      const { pid, argv } = await ask(cluster, id, 'facts');
      assert.equal(pid, cluster.pid);
      assert.equal(argv.length, 3);
      assert.match(argv[1], id === agent ? /agent_worker\.js$/ : /app_worker\.js$/);
      if (id !== agent) assert.equal(JSON.parse(argv[2]).port, ports[apps.indexOf(id)]);
    }
    assert.deepEqual((await ask(cluster, agent, 'received', 'egg-pids')).at(-1), [...apps].sort((a, b) => a - b));
  });

  line('12.3', async ({ cluster, agent, apps }) => {
    for (const [from, to] of [[agent, apps[0]], [apps[0], agent], [apps[0], apps[1]]]) {
      await ask(cluster, to, 'forget');
      await ask(cluster, from, 'sendCloneable', { method: 'sendTo', args: [to, 'news'] });
      await ask(cluster, from, 'send', { method: 'sendTo', args: [to, 'fence', 1] });
      await ask(cluster, to, 'when', { action: 'fence' });
      const [news] = await ask(cluster, to, 'inspected', 'news');
      assert.match(news, /^\{ date: 1970-01-01T00:00:00\.000Z, map: Map\(1\)/);
    }
    await Promise.all(apps.map(app => ask(cluster, app, 'forget')));
    await ask(cluster, agent, 'send', { method: 'sendToApp', args: ['news', 'to all'] });
    for (const app of apps) assert.deepEqual(await ask(cluster, app, 'when', { action: 'news' }), ['to all']);
  });
});

scenario('a cluster of threads whose agent does not get ready', {
  async start(subject) {
    const { cluster } = await startThreads(subject, { fault: { role: 'agent', how: 'reject' } });
    await cluster.exit();
    return cluster;
  },
}, line => {
  line('12.6', cluster => {
    assert.deepEqual(cluster.ended, { code: 1, signal: null });
    assert.match(cluster.stderr, /nodejs.Error: the agent cannot get ready/);
    // Node 18 loses what a thread writes right before it exits.
    if (!process.version.startsWith('v18.')) assert.match(cluster.stderr, /\[agent_worker\] start error, exiting with code:1\n/);
    // An ended thread's id is -1 in Node.
    assert.match(cluster.stderr, /\[master\] agent_worker#1:-?\d+ start fail, exiting with code:1\n/);
    assert.doesNotMatch(cluster.stdout, /app_worker#1/);
  });
});
