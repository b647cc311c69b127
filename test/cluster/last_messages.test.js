'use strict';
// Messages in shared memory beside what becomes of the channel: all that a process has sent before it leaves arrives, or is told.

const assert = require('node:assert/strict');
const { startFolder, startedPids, master } = require('../helpers/folder_cluster');
const { orderMaster } = require('../helpers/master_order');
const { order, tell } = require('../helpers/orders');
const { until } = require('../helpers/waiting');

const RING = 1024;
const FLOOD = 3000;

describe('messages in shared memory', () => {
  let cluster;
  let agent;
  let app;
  const heard = [];

  before(async () => {
    const messenger = { arena: '4mb', maxQueue: '4mb' };
    cluster = await startFolder('talks_raw', { workers: 1, messenger }, { starter: master('asks_and_replies') });
    await cluster.ready();
  });
  after(() => cluster.stop());
  beforeEach(async () => {
    // One that has ended may be there a moment longer, and its successor does not serve at once.
    [app] = await until(() => {
      const pids = cluster.appPids();
      return pids.length === 1 && startedPids(cluster).includes(pids[0]) && pids;
    }, 'one serves');
    agent = cluster.agentPid();
    await order(cluster, agent, 'heard');
    heard.length = 0;
  });
  afterEach(() => {
    process.kill(agent, 'SIGCONT');
    if (cluster.appPids().includes(app)) process.kill(app, 'SIGCONT');
  });

  async function hear() {
    const more = await order(cluster, agent, 'heard');
    heard.push(...more.filter(({ from }) => from === 'app').map(({ data }) => data));
    return heard.length;
  }

  const counted = count => Array.from({ length: count }, (_, place) => place);

  async function sendWhileStopped(command) {
    process.kill(agent, 'SIGSTOP');
    tell(cluster, app, command, FLOOD);
    await cluster.output(new RegExp(`${app} has sent ${FLOOD}`));
  }

  it('come before one by the channel that somebody has sent for their sake, however many they are', async () => {
    const count = 500;
    process.kill(agent, 'SIGSTOP');
    tell(cluster, app, 'flood', count);
    await cluster.output(new RegExp(`${app} has sent ${count}`));
    const asked = order(cluster, agent, 'heard');
    // What the parent says has gone through the master when that answers the same parent.
    await orderMaster(cluster, 'status');
    process.kill(agent, 'SIGCONT');
    const news = (await asked).filter(({ action }) => action === 'news').map(({ data }) => data);
    assert.deepEqual(news, counted(count));
  });

  it('are read to their end where their sender has closed its channel, and what waited in it comes late', async () => {
    await sendWhileStopped('floodDisconnectAndStay');
    await cluster.output(new RegExp(`worker:${app} disconnect`));
    process.kill(app, 'SIGSTOP');
    process.kill(agent, 'SIGCONT');
    await until(async () => await hear() === RING, 'the ring is read to its end');
    process.kill(app, 'SIGCONT');
    await until(async () => await hear() === FLOOD, 'all are there');
    assert.deepEqual(heard, counted(FLOOD));
    process.kill(app, 'SIGTERM');
  });

  it('are told as dropped where they still wait in a process that ends without a channel', async () => {
    await sendWhileStopped('floodAndDisconnect');
    const { data } = await cluster.message('master-dropped');
    assert.deepEqual(data, {
      reason: 'sender-ended', action: 'news', count: FLOOD - RING, from: { role: 'app', pid: app }, to: { role: 'agent', pid: agent },
    });
    process.kill(agent, 'SIGCONT');
    await until(async () => await hear() === RING, 'the others are there');
    assert.deepEqual(heard, counted(RING));
  });
});
