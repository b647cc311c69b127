'use strict';
// The cluster in numbers, as Prometheus scrapes them.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { look, metrics, socketPath } = require('../helpers/control');
const { startFolder } = require('../helpers/folder_cluster');
const { freePort } = require('../helpers/free_port');
const { get, request } = require('../helpers/http_client');
const { ask } = require('../helpers/probe');
const { checkOpenMetrics, checkText } = require('../helpers/promtool');
const { until } = require('../helpers/waiting');

const DOCS = path.join(__dirname, '..', '..', 'docs');
const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPEN = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** The sum of the numbers with this name and all of these labels. */
function total(found, name, labels = {}) {
  const wanted = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
  const fits = ([key]) => key.split('{')[0] === name && wanted.every(label => key.includes(label));
  return [...found].filter(fits).reduce((sum, [, value]) => sum + value, 0);
}

describe('metrics', () => {
  let cluster;
  let port;
  let socket;
  let admin;

  before(async () => {
    socket = socketPath();
    cluster = await startFolder('plain', { control: socket, admin: { port: 0 } });
    ({ port } = await cluster.ready());
    admin = { port: Number(new URL((await look(socket, 'status')).body.admin).port) };
  });
  after(() => cluster.stop());

  it('tell of the cluster at the control socket and at the admin port', async () => {
    for (const where of [{ socketPath: socket }, admin]) {
      const found = await metrics(where);
      const one = name => found.get(`egg_clutch_${name}`);
      assert.deepEqual(['up', 'ready', 'stopping', 'degraded', 'reloading', 'upgrading', 'workers_target', 'workers_serving'].map(one),
        [1, 1, 0, 0, 0, 0, 2, 2]);
      assert.equal(one('processes{role="app",state="ready"}'), 2);
      assert.equal(one('processes{role="agent",state="ready"}'), 1);
      for (const place of ['{role="agent"}', '{role="app",slot="0"}', '{role="app",slot="1"}']) {
        for (const name of ['process_uptime_seconds', 'process_resident_memory_bytes', 'process_cpu_seconds_total']) {
          assert.ok(one(name + place) > 0, name + place);
        }
        assert.equal(one(`restarts_total${place}`), 0);
        const booted = one(`process_boot_seconds${place}`);
        assert.ok(booted > 0 && booted < 600, `${place}: ${booted}`);
        assert.ok(one(`event_loop_utilization_ratio${place}`) <= 1, place);
      }
      assert.equal(one('connections_open{role="agent"}'), undefined, 'nobody counts those of the agent');
    }
    assert.equal((await request({ socketPath: socket, path: '/metrics', method: 'POST' })).status, 405);
    assert.equal((await request({ ...admin, path: '/metrics', headers: { Host: 'evil.example' } })).status, 403);
  });

  it('are what Prometheus takes, in each of its formats', async () => {
    const text = await get(admin, '/metrics');
    assert.deepEqual([text.status, text.headers['content-type']], [200, TEXT]);
    checkText(text.body);
    const open = await request({ ...admin, path: '/metrics', headers: { Accept: 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3' } });
    assert.deepEqual([open.status, open.headers['content-type']], [200, OPEN]);
    assert.match(open.body, /\n# EOF\n$/);
    checkOpenMetrics(open.body);
    const families = body => body.match(/^# TYPE \S+/gm).map(line => line.replace(/_(total|info)$/, ''));
    assert.deepEqual(families(open.body), families(text.body));
  });

  it('count requests, and deaths by cause, and go on when a worker is replaced', async () => {
    const before = await metrics(socket);
    for (let index = 0; index < 8; index += 1) await get(port, '/');
    const grown = (found, name, labels) => total(found, name, labels) - total(before, name, labels);
    let during;
    // A client may have its answer before the worker knows that it went out.
    await until(async () => {
      during = await metrics(socket);
      return grown(during, 'egg_clutch_responses_total', { class: '2xx' }) >= 8;
    }, '8 answers that are counted');
    assert.equal(grown(during, 'egg_clutch_responses_total', { class: '2xx' }), 8);
    assert.equal(grown(during, 'egg_clutch_requests_total'), 8);
    assert.equal(grown(during, 'egg_clutch_responses_total', { class: '5xx' }), 0);

    const { body: { workers: [worker] } } = await look(socket, 'status');
    process.kill(worker.pid, 'SIGKILL');
    let after;
    await until(async () => {
      after = await metrics(socket);
      return grown(after, 'egg_clutch_restarts_total', { slot: worker.slot }) === 1 && after.get('egg_clutch_workers_serving') === 2;
    }, 'another worker in its place');
    assert.equal(grown(after, 'egg_clutch_deaths_total', { role: 'app', cause: 'killed' }), 1);
    assert.equal(grown(after, 'egg_clutch_deaths_total'), 1);
    assert.equal(grown(after, 'egg_clutch_requests_total'), 8);
    for (const [name, value] of during) {
      if (/_total(\{|$)/.test(name)) assert.ok(after.get(name) >= value, `${name}: ${value}, then ${after.get(name)}`);
    }
  });

  it('count messages by action, also while all who count stand still, and after their end', async () => {
    const { body: { agent, workers } } = await look(socket, 'status');
    const [from, to] = [agent.pid, workers[1].pid];
    const action = 'a "quoted"\\ one\nof two lines';
    const key = name => `egg_clutch_action_${name}{action="${action.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"}`;
    for (const name of ['news', action]) await ask(cluster, from, 'sendLong', { method: 'sendTo', args: [to, name], length: 5000 });
    await ask(cluster, to, 'when', { action: 'news', count: 1 });
    for (const { pid } of [agent, ...workers]) process.kill(pid, 'SIGSTOP');
    const stopped = await metrics(socket);
    const { body: status } = await look(socket, 'status');
    checkText((await get({ socketPath: socket }, '/metrics')).body);
    for (const { pid } of [agent, ...workers]) process.kill(pid, 'SIGCONT');

    const news = name => stopped.get(`egg_clutch_action_${name}{action="news"}`);
    assert.deepEqual(['messages_sent_total', 'messages_received_total', 'messages_dropped_total', 'messages_queued', 'queue_timed_total'].map(news), [1, 1, 0, 0, 1]);
    assert.ok(news('sent_bytes_total') >= 5000 && news('sent_bytes_total') < 12000, `${news('sent_bytes_total')}`);
    assert.equal(news('largest_bytes'), news('sent_bytes_total'));
    assert.ok(news('queue_seconds_total') > 0 && news('queue_seconds_total') < 600, `${news('queue_seconds_total')}`);
    assert.equal(news('listeners_timed_total'), 1);
    assert.equal(stopped.get(key('messages_sent_total')), 1);
    assert.equal(stopped.get('egg_clutch_refused_counters'), 0);
    assert.ok(stopped.get('egg_clutch_messages_sent_total{role="agent"}') >= 2);
    const { sent, received, timeInQueue, listeners } = status.messages.actions.news;
    assert.deepEqual([sent, received, timeInQueue.timed, listeners.timed, listeners.slow], [1, 1, 1, 1, 0]);
    assert.ok(status.agent.vitals.messages.sent >= 2 && status.agent.vitals.bootMs > 0, JSON.stringify(status.agent.vitals));

    process.kill(to, 'SIGKILL');
    await until(async () => {
      const { body } = await look(socket, 'status');
      return body.serving === 2 && body.workers.every(({ pid }) => pid !== to);
    }, 'its successor');
    assert.equal((await metrics(socket)).get('egg_clutch_action_messages_received_total{action="news"}'), 1);
  });

  it('that the documents name are there', async () => {
    const names = new Set([...(await metrics(socket)).keys()].map(key => key.split('{')[0]));
    const files = [path.join(DOCS, 'OPERATIONS.md'), ...fs.readdirSync(path.join(DOCS, 'operations')).map(name => path.join(DOCS, 'operations', name))];
    const named = files.flatMap(file => fs.readFileSync(file, 'utf8').match(/\begg_clutch_\w+/g) ?? []);
    assert.ok(named.length > 20, `${named.length} are named`);
    assert.deepEqual(named.filter(name => !names.has(name)), []);
    const described = fs.readFileSync(path.join(DOCS, 'OPERATIONS.md'), 'utf8');
    assert.deepEqual([...names].filter(name => !described.includes(`\`${name}\``)), [], 'docs/OPERATIONS.md tells of each');
  });

  it('of threads leave out what nobody knows', async () => {
    const threads = await startFolder('plain', { control: socketPath(), startMode: 'worker_threads', ports: [await freePort()], port: undefined, workers: 1 });
    await threads.ready();
    const { body } = await get({ socketPath: threads.options.control }, '/metrics');
    assert.match(body, /^egg_clutch_workers_serving 1$/m);
    assert.doesNotMatch(body, /_deaths_|_process_|_requests_|_action_/);
    checkText(body);
  });
});
