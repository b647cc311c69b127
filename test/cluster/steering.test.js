'use strict';

// What is asked of a running cluster: reload, more and fewer workers, spares, workers out of service, stops that wait.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { get } = require('../helpers/http_client');
const processes = require('../helpers/processes');
const { runFolder } = require('../helpers/run_folder');
const { startSteerable, attempt, steer, event } = require('../helpers/steering');
const { Traffic } = require('../helpers/traffic');
const { until } = require('../helpers/waiting');

const servingPids = status => status.workers.filter(({ state, isolated }) => state === 'ready' && !isolated).map(({ pid }) => pid);

/** Which processes answer so many requests, each on a connection of its own. */
async function whoAnswers(port, requests = 12) {
  const answers = await Promise.all(Array.from({ length: requests }, () => get(port)));
  return new Set(answers.map(({ body }) => Number(body)));
}

/** Asks until so many have answered, and resolves to who has. */
async function allWhoAnswer(port, count) {
  const seen = new Set();
  await until(async () => {
    for (const pid of await whoAnswers(port)) seen.add(pid);
    return seen.size >= count;
  }, `answers of ${count} workers`);
  return seen;
}

describe('a cluster that is steered by its API', () => {
  let cluster;
  let port;

  before(async () => {
    cluster = await startSteerable('answers_on_order');
    port = cluster.options.port;
  });
  after(() => cluster.stop());

  it('reloads: all workers are new, none is missing meanwhile, and no request is lost', async () => {
    const before = servingPids(await steer(cluster, 'status'));
    const traffic = new Traffic(port);
    assert.deepEqual(await steer(cluster, 'reload'), { workers: 2, agent: false });
    const status = await steer(cluster, 'status');
    assert.equal(status.serving, 2);
    assert.ok(!servingPids(status).some(pid => before.includes(pid)));
    await traffic.stop();
    assert.deepEqual(traffic.failures, []);
    assert.deepEqual(await event(cluster, 'reload-started'), { event: 'reload-started', count: 2 });
    assert.deepEqual(await event(cluster, 'reload-done'), { event: 'reload-done', count: 2, agent: false });
    assert.ok(!cluster.messages.some(({ action, data }) => action === 'cluster-event' && data.event === 'degraded'));
  });

  it('reloads the agent as well where that is asked for, and the parent hears of no death', async () => {
    const agent = cluster.agentPid();
    assert.deepEqual(await steer(cluster, 'reload', { agent: true }), { workers: 2, agent: true });
    assert.notEqual(cluster.agentPid(), agent);
    assert.ok(!cluster.messages.some(({ action }) => action === 'agent-worker-died'));
  });

  it('answers all who ask while a reload runs with the next one', async () => {
    const first = attempt(cluster, 'reload');
    const others = [attempt(cluster, 'reload'), attempt(cluster, 'reload')];
    assert.deepEqual((await Promise.all([first, ...others])).map(({ result }) => result), Array(3).fill({ workers: 2, agent: false }));
    assert.equal(cluster.messages.filter(({ action, data }) => action === 'cluster-event' && data.event === 'reload-done').length, 4);
  });

  it('becomes more and fewer workers', async () => {
    assert.deepEqual(await steer(cluster, 'scale', 4), { workers: 4 });
    assert.equal(cluster.appPids().length, 4);
    assert.equal((await allWhoAnswer(port, 4)).size, 4);
    const stays = servingPids(await steer(cluster, 'status'));
    assert.deepEqual(await steer(cluster, 'scale', 1), { workers: 1 });
    assert.equal(cluster.appPids().length, 1);
    assert.ok(stays.includes(cluster.appPids()[0]));
    assert.deepEqual(await steer(cluster, 'scale', 2), { workers: 2 });
  });

  it('restarts one worker, the new one first', async () => {
    const workers = (await steer(cluster, 'status')).workers.filter(({ state }) => state === 'ready');
    await steer(cluster, 'restart', workers[0].id);
    const after = servingPids(await steer(cluster, 'status'));
    assert.equal(after.length, 2);
    assert.ok(after.includes(workers[1].pid) && !after.includes(workers[0].pid));
  });

  it('takes a worker out of service, which answers what it has, and back', async () => {
    const [first, second] = (await steer(cluster, 'status')).workers.filter(({ state }) => state === 'ready');
    const held = Array.from({ length: 4 }, () => get(port, '/held'));
    await cluster.output(new RegExp(`taken ${first.pid} /held`));
    await steer(cluster, 'isolate', first.id);
    assert.equal((await event(cluster, 'worker-isolated')).pid, first.pid);
    assert.deepEqual(await event(cluster, 'degraded'), { event: 'degraded', serving: 1, target: 2 });
    assert.deepEqual(await whoAnswers(port), new Set([second.pid]));
    for (const { pid } of [first, second]) process.kill(pid, 'SIGUSR2');
    const answered = (await Promise.all(held)).map(({ body }) => Number(body));
    assert.ok(answered.includes(first.pid), 'it answers what it has');
    const { error } = await attempt(cluster, 'isolate', second.id);
    assert.equal(error.code, 'ERR_CLUTCH_OPTION');
    assert.match(error.message, /the last one in service/);
    await steer(cluster, 'rejoin', first.id);
    assert.deepEqual(await event(cluster, 'recovered'), { event: 'recovered', serving: 2, target: 2 });
    assert.deepEqual(await allWhoAnswer(port, 2), new Set([first.pid, second.pid]));
  });

  it('obeys SIGHUP, SIGTTIN and SIGTTOU', async () => {
    const before = cluster.appPids();
    const lastId = Math.max(...(await steer(cluster, 'status')).workers.map(({ id }) => id));
    process.kill(cluster.pid, 'SIGTTIN');
    await event(cluster, 'worker-ready', { filter: ({ id }) => id > lastId });
    await cluster.output(/\[master\] 3 app workers now/);
    process.kill(cluster.pid, 'SIGTTOU');
    await cluster.output(/\[master\] 2 app workers now/);
    process.kill(cluster.pid, 'SIGHUP');
    await event(cluster, 'reload-done', { index: 4 });
    assert.ok(!servingPids(await steer(cluster, 'status')).some(pid => before.includes(pid)));
  });
});

describe('a reload of new code that does not boot', () => {
  it('fails with how it ended, and the old workers go on', async () => {
    const cause = path.join(runFolder(), 'reload-fails');
    const cluster = await startSteerable('dies_while_booting', {}, { env: { DIES_WHILE: cause } });
    const before = servingPids(await steer(cluster, 'status'));
    fs.writeFileSync(cause, '');
    const { error } = await attempt(cluster, 'reload');
    assert.equal(error.code, 'ERR_CLUTCH_RELOAD');
    const { id, pid, death, ...facts } = error.cause;
    assert.match(error.message, new RegExp(`app_worker#${id}:${pid} died before it was ready \\(code: 1\\)`));
    assert.deepEqual(facts, { slot: 0, generation: 2, overdue: false, code: 1, signal: null, reason: 'boot-failed' });
    const { kind, phase, words } = death;
    assert.deepEqual({ kind, phase, pid: death.pid }, { kind: 'uncaught-error', phase: 'boot', pid });
    assert.match(words, /^an error that nobody caught: Error: /);
    assert.equal((await event(cluster, 'reload-failed')).pid, pid);
    assert.deepEqual(servingPids(await steer(cluster, 'status')), before);
    fs.rmSync(cause);
    assert.deepEqual(await steer(cluster, 'reload'), { workers: 2, agent: false });
  });
});

describe('a spare worker', () => {
  let cluster;
  let port;

  before(async () => {
    cluster = await startSteerable('answers_on_order', { spare: 1 });
    port = cluster.options.port;
    await event(cluster, 'spare-ready');
  });
  after(() => cluster.stop());

  it('listens and gets no connections, and only status knows it', async () => {
    const status = await steer(cluster, 'status');
    assert.deepEqual([status.serving, status.workers.length, status.spares.length], [2, 2, 1]);
    assert.equal(cluster.appPids().length, 3);
    assert.deepEqual(await allWhoAnswer(port, 2), new Set(status.workers.map(({ pid }) => pid)));
  });

  it('takes over at once when a worker is killed, and the next one boots', async () => {
    const { workers: [victim], spares: [spare] } = await steer(cluster, 'status');
    process.kill(victim.pid, 'SIGKILL');
    await event(cluster, 'worker-ready', { filter: ({ pid }) => pid === spare.pid });
    await until(async () => (await whoAnswers(port)).has(spare.pid), 'an answer of the spare');
    await event(cluster, 'spare-ready', { index: 1 });
    const status = await steer(cluster, 'status');
    assert.deepEqual([status.serving, status.spares.length, status.degraded], [2, 1, false]);
  });

  it('is renewed by a reload before anybody in service is', async () => {
    const before = cluster.appPids();
    await steer(cluster, 'reload');
    const status = await steer(cluster, 'status');
    assert.ok(![...status.workers, ...status.spares].some(({ pid, state }) => state === 'ready' && before.includes(pid)));
  });

  it('has no socket beside reusePort before it takes over, and then gets its share of connections', async () => {
    const beside = await startSteerable('answers_on_order', { spare: 1, reusePort: true });
    const { port: shared } = beside.options;
    await event(beside, 'spare-ready');
    const { workers, spares: [spare] } = await steer(beside, 'status');
    const pids = workers.map(({ pid }) => pid);
    assert.deepEqual(await whoAnswers(shared, 60), new Set(pids));
    process.kill(pids[0], 'SIGKILL');
    await event(beside, 'worker-ready', { filter: ({ pid }) => pid === spare.pid });
    await until(async () => (await whoAnswers(shared, 60)).has(spare.pid), 'the spare serves');
    await event(beside, 'spare-ready', { index: 1 });
    const traffic = new Traffic(shared, { clients: 6 });
    await steer(beside, 'reload');
    await traffic.stop();
    assert.deepEqual(traffic.failures, []);
    const status = await steer(beside, 'status');
    assert.deepEqual([status.serving, status.spares.length, status.degraded], [2, 1, false]);
    assert.deepEqual(await whoAnswers(shared, 60), new Set(servingPids(status)));
  });

  it('keeps the clients of a place together in sticky mode', async () => {
    const sticky = await startSteerable('answers_on_order', { spare: 1, sticky: true, workers: 3 });
    await event(sticky, 'spare-ready');
    const clients = Array.from({ length: 40 }, (_, index) => `127.0.1.${index + 1}`);
    const homes = async () => new Map(await Promise.all(clients.map(async localAddress =>
      [localAddress, Number((await get({ port: sticky.options.port, localAddress })).body)])));
    const before = await homes();
    const victim = before.get(clients[0]);
    process.kill(victim, 'SIGKILL');
    const spare = await event(sticky, 'worker-ready', { filter: ({ slot }) => slot === 3 });
    const after = await homes();
    for (const [client, pid] of before) assert.equal(after.get(client), pid === victim ? spare.pid : pid, client);
  });
});

describe('a worker that is forked again', () => {
  it('gets the environment that the master has then', async () => {
    const cluster = await startSteerable('answers_on_order');
    await steer(cluster, 'env', { PROBE_LATER: 'yes' });
    const [victim] = cluster.appPids();
    process.kill(victim, 'SIGKILL');
    const { pid } = await event(cluster, 'worker-ready');
    assert.match(fs.readFileSync(`/proc/${pid}/environ`, 'utf8'), /(^|\0)PROBE_LATER=yes\0/);
  });
});

describe('a master that ends when too many workers die', () => {
  it('exits with code 1, and says why', async () => {
    const cluster = await startSteerable('answers_on_order', { restart: { intensity: [1, '1m'], then: 'exit' } });
    process.kill(cluster.appPids()[0], 'SIGKILL');
    const { pid } = await event(cluster, 'worker-ready');
    process.kill(pid, 'SIGKILL');
    assert.deepEqual(await cluster.masterExit(), { code: 1, signal: null });
    assert.match(cluster.stderr, /more than 1 restarts within 60s, exiting with code:1/);
  });
});

describe('a stop that waits', () => {
  const start = preStopDelay => startSteerable('answers_on_order', { preStopDelay, timeouts: { drain: '20s' } });

  it('leaves when the delay is over', async () => {
    const cluster = await start('700ms');
    process.kill(cluster.pid, 'SIGTERM');
    assert.deepEqual(await event(cluster, 'stopping'), { event: 'stopping', signal: 'SIGTERM', delay: 700 });
    assert.deepEqual(await cluster.exit(), { code: 0, signal: null });
    assert.match(cluster.stdout, /master is killed by signal SIGTERM, closing/);
  });

  it('is not ready at once, serves until the second signal, and the third kills', async () => {
    const cluster = await start('1h');
    const held = get(cluster.options.port, '/held').catch(({ code }) => code);
    await cluster.output(/taken \d+ \/held/);
    process.kill(cluster.pid, 'SIGTERM');
    await event(cluster, 'stopping');
    const { ready, leaving, serving } = await steer(cluster, 'status');
    assert.deepEqual({ ready, leaving, serving }, { ready: false, leaving: true, serving: 2 });
    assert.equal((await get(cluster.options.port)).status, 200);
    assert.equal((await attempt(cluster, 'reload')).error.code, 'ERR_CLUTCH_CLOSED');
    process.kill(cluster.pid, 'SIGTERM');
    await cluster.output(/send kill SIGTERM to app workers/);
    process.kill(cluster.pid, 'SIGTERM');
    assert.deepEqual(await cluster.masterExit(), { code: 0, signal: null });
    assert.equal(await held, 'ECONNRESET');
  });

  it('with no delay is ended by the same signal a second time', async () => {
    const cluster = await start(0);
    const apps = cluster.appPids().map(pid => processes.look(pid));
    const held = get(cluster.options.port, '/held').catch(({ code }) => code);
    await cluster.output(/taken \d+ \/held/);
    process.kill(cluster.pid, 'SIGTERM');
    await cluster.output(/send kill SIGTERM to app workers/);
    process.kill(cluster.pid, 'SIGTERM');
    assert.deepEqual(await cluster.masterExit(), { code: null, signal: 'SIGTERM' });
    for (const app of apps.filter(processes.isAlive)) process.kill(app.pid, 'SIGUSR2');
    await held;
  });
});

