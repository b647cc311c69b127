'use strict';
// Messages between workers by shared memory: that they do go that way, and what stopping, killing and late coming do to them.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { master } = require('../helpers/folder_cluster');
const { ask, told } = require('../helpers/probe');
const { descriptorTargets, limitDescriptors } = require('../helpers/resources');
const { runFolder } = require('../helpers/run_folder');
const { until } = require('../helpers/waiting');
const { Subject } = require('./shared/subject');

const MB = 1024 * 1024;
const subject = new Subject('embedded');

async function start(options, settings) {
  const cluster = await subject.start(options, settings);
  await cluster.ready();
  return cluster;
}

/** A number of proc_pid_io(5), of all the life of a process. */
function ioOf(pid, name) {
  return Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(fs.readFileSync(`/proc/${pid}/io`, 'utf8'))[1]);
}

/** Bytes that a process has read by system calls. */
function bytesRead(pid) {
  return ioOf(pid, 'rchar');
}

/** How often it has called read(2), write(2) and their like: by these bells are rung, and heard. */
function readsAndWrites(pid) {
  return ioOf(pid, 'syscr') + ioOf(pid, 'syscw');
}

function mapped(pid, name) {
  return fs.readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').filter(line => line.includes(name));
}

function counted(count) {
  return Array.from({ length: count }, (_, place) => place);
}

async function assertAll(cluster, receiver, sender, count) {
  const news = await ask(cluster, receiver, 'when', { action: 'news', count });
  const places = news.filter(entry => entry.sender === sender).map(({ place }) => place);
  assert.deepEqual(places, counted(count), `${sender} → ${receiver}`);
}

describe('messages between workers', () => {
  it('pass the master by', async () => {
    const cluster = await start();
    const agent = cluster.agentPid();
    const [app] = cluster.appPids();
    const before = bytesRead(cluster.pid);
    await ask(cluster, agent, 'sendLong', { method: 'sendTo', args: [app, 'news'], length: 4 * MB });
    const [news] = await ask(cluster, app, 'when', { action: 'news', count: 1 });
    assert.equal(news.length, 4 * MB);
    assert.ok(bytesRead(cluster.pid) - before < MB, 'the master has read what was for an app');
  });

  it('cost no system call each: who is awake is not rung, who sleeps is rung once, and who comes back takes many at a time', async () => {
    // What a ring has room for.
    const COUNT = 1000;
    const cluster = await start();
    const agent = cluster.agentPid();
    const [app] = cluster.appPids();
    const fifo = path.join(runFolder(), 'holds-an-app');
    execFileSync('mkfifo', [fifo]);
    const stops = {
      awake: { stop: () => ask(cluster, app, 'readForEver', fifo), go: () => fs.promises.writeFile(fifo, 'go') },
      asleep: { stop: () => process.kill(app, 'SIGSTOP'), go: () => process.kill(app, 'SIGCONT') },
    };
    // What comes first goes by the channel, and needs memory.
    await ask(cluster, agent, 'flood', { method: 'sendTo', args: [app, 'news'], count: COUNT });
    await assertAll(cluster, app, agent, COUNT);
    for (const [how, { stop, go }] of Object.entries(stops)) {
      await ask(cluster, app, 'forget');
      const before = [agent, app].map(readsAndWrites);
      await stop();
      await ask(cluster, agent, 'flood', { method: 'sendTo', args: [app, 'fence'], count: COUNT });
      await go();
      await ask(cluster, app, 'when', { action: 'fence', last: { place: COUNT - 1, sender: agent } });
      const calls = [agent, app].map((pid, index) => readsAndWrites(pid) - before[index]);
      assert.ok(calls.every(count => count < COUNT / 10), `${how}: ${calls} of sender and receiver`);
    }
  });

  it('lie in memory that only their sender can write', async () => {
    const cluster = await start();
    const everybody = [cluster.agentPid(), ...cluster.appPids()];
    const outboxes = (pid, access) => mapped(pid, 'memfd:clutch-outbox').filter(line => line.includes(` ${access} `)).length;
    // Its own once more, for what it sends to itself. Those who came last are mapped when their news have been heard.
    const hasAll = pid => outboxes(pid, 'r--s') === everybody.length;
    await until(() => everybody.every(hasAll), 'everybody has mapped everybody');
    for (const pid of everybody) assert.equal(outboxes(pid, 'rw-s'), 1, 'one of its own');
    // The master maps what workers say of themselves, and no message.
    const ofMaster = mapped(cluster.pid, 'memfd:clutch');
    assert.deepEqual(ofMaster.filter(line => /clutch-(outbox|inbox|segment)/.test(line)), []);
  });

  it('wait for a receiver that stands still, also more than a ring holds, and come in order', async () => {
    const cluster = await start();
    const agent = cluster.agentPid();
    const [first, second] = cluster.appPids();
    process.kill(first, 'SIGSTOP');
    await ask(cluster, agent, 'flood', { method: 'sendToApp', args: ['news'], count: 5000 });
    await assertAll(cluster, second, agent, 5000);
    process.kill(first, 'SIGCONT');
    await assertAll(cluster, first, agent, 5000);
  });

  it('reach the others while one receiver stands still and holds all the memory there is', async () => {
    const cluster = await start();
    const agent = cluster.agentPid();
    const [still, other] = cluster.appPids();
    process.kill(still, 'SIGSTOP');
    // Twice the arena of the agent.
    const digests = [];
    for (let turn = 0; turn < 16; turn++) digests.push(await ask(cluster, agent, 'sendLong', { method: 'sendToApp', args: ['news'], length: 4 * MB }));
    const sizes = async pid => (await ask(cluster, pid, 'when', { action: 'news', count: 16 })).map(({ length, sha256 }) => ({ length, sha256 }));
    assert.deepEqual(await sizes(other), digests);
    process.kill(still, 'SIGCONT');
    assert.deepEqual(await sizes(still), digests);
  });

  it('come in order where memory runs out while two stand still, and one of them must give back what waits for it', async () => {
    const cluster = await start();
    const agent = cluster.agentPid();
    const still = cluster.appPids();
    for (const pid of still) process.kill(pid, 'SIGSTOP');
    // Two bytes a character: less than a share of the arena for each, and then more than what is left of it for both.
    const sent = new Map();
    for (const pid of still) sent.set(pid, [await ask(cluster, agent, 'sendLong', { method: 'sendTo', args: [pid, 'news'], length: 7 * MB })]);
    const last = await ask(cluster, agent, 'sendLong', { method: 'sendToApp', args: ['news'], length: 20 * MB });
    for (const pid of still) process.kill(pid, 'SIGCONT');
    for (const [pid, [first]] of sent) {
      const news = await ask(cluster, pid, 'when', { action: 'news', count: 2 });
      assert.deepEqual(news.map(({ length, sha256 }) => ({ length, sha256 })), [first, last]);
    }
  });

  it('go by the master where one of the two has no descriptor left for the memory of the other', async () => {
    const cluster = await start({ workers: 1 }, { starter: master('asks_and_replies') });
    const agent = cluster.agentPid();
    const [app] = cluster.appPids();
    const before = limitDescriptors(app, 3);
    // Needs memory that nobody has seen yet, whose descriptor does not reach the app.
    await ask(cluster, agent, 'sendLong', { method: 'sendTo', args: [app, 'news'], length: 4 * MB });
    for (const [one, other] of [[app, agent], [agent, app]]) {
      await cluster.output(new RegExp(`${one} \\[messenger\\] messages to and from ${other} go by the master`));
    }
    // The one message is lost, and that is no secret.
    const { data } = await cluster.message('master-dropped');
    const [from, to] = [{ role: 'agent', pid: agent }, { role: 'app', pid: app }];
    assert.deepEqual(data, { reason: 'set-apart', action: 'news', count: 1, from, to });
    limitDescriptors(app, before);
    await ask(cluster, agent, 'flood', { method: 'sendTo', args: [app, 'news'], count: 100 });
    await ask(cluster, app, 'flood', { method: 'sendToAgent', args: ['news'], count: 100 });
    await assertAll(cluster, app, agent, 100);
    await assertAll(cluster, agent, app, 100);
  });

  it('go by the master where it believes one of them no more, and what lay there unread is told as dropped', async () => {
    const cluster = await start({}, { starter: master('asks_and_replies') });
    const agent = cluster.agentPid();
    const [still, other] = cluster.appPids();
    for (const app of [still, other]) await ask(cluster, agent, 'flood', { method: 'sendTo', args: [app, 'news'], count: 1 });
    for (const app of [still, other]) await ask(cluster, app, 'when', { action: 'news', count: 1 });
    process.kill(still, 'SIGSTOP');
    await ask(cluster, agent, 'flood', { method: 'sendTo', args: [still, 'news'], count: 5 });
    assert.equal(await ask(cluster, agent, 'babble'), 1);
    await cluster.output(new RegExp(`worker ${agent} is taken off the switchboard: it sends what is no record`));
    await cluster.output(new RegExp(`${agent} \\[messenger\\] messages to and from ${still} go by the master from now on, 5 to it are lost`));
    const { data } = await cluster.message('master-dropped');
    const [from, to] = [{ role: 'agent', pid: agent }, { role: 'app', pid: still }];
    assert.deepEqual(data, { reason: 'set-apart', action: 'news', count: 5, from, to });
    process.kill(still, 'SIGCONT');
    for (const app of [still, other]) {
      await cluster.output(new RegExp(`${app} \\[messenger\\] messages to and from ${agent} go by the master`));
      await ask(cluster, agent, 'flood', { method: 'sendTo', args: [app, 'news'], count: 3 });
      await ask(cluster, app, 'flood', { method: 'sendToAgent', args: ['news'], count: 3 });
      const came = await ask(cluster, app, 'when', { action: 'news', count: 4 });
      assert.deepEqual(came.map(({ place }) => place), [0, ...counted(3)], 'what was told as dropped does not come after all');
    }
    assert.equal((await ask(cluster, agent, 'when', { action: 'news', count: 6 })).length, 6);
  });

  it('are refused, and that is said, beyond what may wait for one that stands still; the others get them', async () => {
    const cluster = await start();
    const agent = cluster.agentPid();
    const [still, other] = cluster.appPids();
    process.kill(still, 'SIGSTOP');
    for (let turn = 0; turn < 45; turn++) await ask(cluster, agent, 'sendLong', { method: 'sendToApp', args: ['news'], length: 4 * MB });
    await cluster.output(/\[messenger\] a message was dropped: .* a process that does not read \(1 so far\)/);
    assert.equal((await ask(cluster, other, 'when', { action: 'news', count: 45 })).length, 45);
    process.kill(still, 'SIGCONT');
    const got = await ask(cluster, still, 'when', { action: 'news', count: 30 });
    assert.ok(got.length < 45);
  });

  it('reach an app that is still loading, in order, whichever way they go', async () => {
    const cluster = await subject.start({}, { fault: { role: 'app', index: 1, how: 'hold' } });
    await told(cluster, 'probe-fault');
    const [, first] = await cluster.output(/app_worker#1:(\d+) started at/);
    const [, second] = await cluster.output(/app_worker#2:(\d+) start,/);
    const agent = cluster.agentPid();
    await ask(cluster, agent, 'flood', { method: 'sendToApp', args: ['news'], count: 300 });
    await ask(cluster, second, 'go');
    await cluster.ready();
    await assertAll(cluster, Number(first), agent, 300);
    await assertAll(cluster, Number(second), agent, 300);
  });

  it('that a process sent before it was killed arrive, and its successor is reached', async () => {
    const cluster = await start();
    const agent = cluster.agentPid();
    const [sender, other] = cluster.appPids();
    await ask(cluster, sender, 'flood', { method: 'sendToAgent', args: ['news'], count: 500 });
    process.kill(sender, 'SIGKILL');
    await assertAll(cluster, agent, sender, 500);
    const [, , successor] = await cluster.waitFor(() => {
      const pids = [...cluster.stdout.matchAll(/app_worker#\d+:(\d+) started at/g)].map(([, pid]) => Number(pid));
      return pids.length === 3 && pids;
    }, { what: 'a successor' });
    await ask(cluster, other, 'forget');
    await ask(cluster, agent, 'flood', { method: 'sendToApp', args: ['news'], count: 200 });
    await assertAll(cluster, successor, agent, 200);
    await assertAll(cluster, other, agent, 200);
  });

  it('are taken in turn with sockets and timers', async () => {
    const cluster = await start({ workers: 1 });
    const agent = cluster.agentPid();
    const [app] = cluster.appPids();
    await ask(cluster, agent, 'flood', { method: 'sendToApp', args: ['news'], count: 20000 });
    // The answer comes by the channel, between them.
    await ask(cluster, app, 'facts');
    await assertAll(cluster, app, agent, 20000);
  });

  it('leave no trace in the environment and the descriptors of what a worker forks', async () => {
    const cluster = await start({ workers: 1 });
    const [app] = cluster.appPids();
    const child = await ask(cluster, app, 'spawnChild', { how: 'idle' });
    assert.ok(!fs.readFileSync(`/proc/${child}/environ`, 'utf8').includes('EGG_CLUTCH_SWITCHBOARD'));
    assert.deepEqual(descriptorTargets(child).filter(target => target.includes('clutch')), []);
  });
});
