'use strict';
// What a process has sent before it leaves on its own: all of it arrives, or is told as dropped.

const assert = require('node:assert/strict');
const { startFolder, startedPids, master } = require('../helpers/folder_cluster');
const { order, tell } = require('../helpers/orders');
const { until } = require('../helpers/waiting');

const RING = 1024;
const FLOOD = 3000;

describe('a process that leaves on its own', () => {
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

  it('is heard to its end where it has closed its channel, and what waited in it comes late', async () => {
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

  it('has what still waits told as dropped where its channel is closed already', async () => {
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
