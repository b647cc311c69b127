'use strict';
// Messages in shared memory beside what becomes of the channel: all that a process has sent before it leaves arrives, or is told.

const assert = require('node:assert/strict');
const { orderMaster } = require('../helpers/master_order');
const { order } = require('../helpers/orders');
const { RawTalk, counted, RING, FLOOD } = require('./shared/raw_talk');

describe('messages in shared memory', () => {
  let talk;

  before(async () => {
    talk = await RawTalk.start('4mb');
  });
  after(() => talk.cluster.stop());
  beforeEach(() => talk.begin());
  afterEach(() => talk.end());

  const heardData = () => talk.heard.map(({ data }) => data);

  it('come before one by the channel that somebody has sent for their sake, however many they are', async () => {
    const count = 500;
    const { cluster, agent } = talk;
    await talk.floodWhileStopped('flood', count);
    const asked = order(cluster, agent, 'heard');
    // What the parent says has gone through the master when that answers the same parent.
    await orderMaster(cluster, 'status');
    process.kill(agent, 'SIGCONT');
    const news = (await asked).filter(({ action }) => action === 'news').map(({ data }) => data);
    assert.deepEqual(news, counted(count));
  });

  it('are read to their end where their sender has closed its channel, and what waited in it comes late', async () => {
    const { cluster, agent, app } = talk;
    await talk.floodWhileStopped('floodDisconnectAndStay');
    await cluster.output(new RegExp(`worker:${app} disconnect`));
    process.kill(app, 'SIGSTOP');
    process.kill(agent, 'SIGCONT');
    await talk.untilHeard(RING, 'the ring is read to its end');
    process.kill(app, 'SIGCONT');
    await talk.untilHeard(FLOOD, 'all are there');
    assert.deepEqual(heardData(), counted(FLOOD));
    process.kill(app, 'SIGTERM');
  });

  it('are told as dropped where they still wait in a process that ends without a channel', async () => {
    await talk.floodWhileStopped('floodAndDisconnect');
    const { data } = await talk.cluster.message('master-dropped');
    assert.deepEqual(data, talk.droppedAtItsEnd);
    process.kill(talk.agent, 'SIGCONT');
    await talk.untilHeard(RING, 'the others are there');
    assert.deepEqual(heardData(), counted(RING));
  });
});
