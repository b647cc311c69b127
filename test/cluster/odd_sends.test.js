'use strict';
// process.send() with messages of unusual make, beside a receiver that stands still, and in a process that ends right after it.

const assert = require('node:assert/strict');
const { order } = require('../helpers/orders');
const { until } = require('../helpers/waiting');
const { RawTalk, counted, RING, FLOOD } = require('./shared/raw_talk');

const ODD_FORMS = [
  'instance', 'inherited', 'toJSON', 'boxed', 'toNull', 'toNothing', 'toFalse', 'toBoxed', 'pidNull', 'pidZero', 'pidNaN', 'pidNothing',
];

describe('process.send()', () => {
  let talk;
  let cluster;
  let agent;
  let app;

  before(async () => {
    talk = await RawTalk.start('1mb');
    cluster = talk.cluster;
  });
  after(() => cluster.stop());
  beforeEach(async () => {
    await talk.begin();
    ({ agent, app } = talk);
  });
  afterEach(() => talk.end());

  for (const form of ODD_FORMS) {
    it(`keeps the order of a message that is made like this: ${form}`, async () => {
      await order(cluster, app, 'sendForm', form);
      await talk.untilHeard(2, 'both are there');
      assert.deepEqual(talk.heard.map(({ action, to }) => [action, to]), [['first', 'agent'], ['second', 'agent']]);
    });
  }

  it('keeps the order of a message with a handle, which ends in the master, also where others wait', async () => {
    for (const isStopped of [false, true]) {
      if (isStopped) process.kill(agent, 'SIGSTOP');
      assert.equal(await order(cluster, app, 'floodAroundHandle', RING), null);
      process.kill(agent, 'SIGCONT');
      await talk.untilHeard(2 * RING + 1, 'all are there');
      assert.deepEqual(talk.heard.splice(0).map(({ data, handle }) => handle ?? data), [...counted(RING), 'with a handle', ...counted(RING)]);
    }
  });

  it('calls back when the message has left, so that a process that ends then loses nothing', async () => {
    await talk.floodWhileStopped('floodAndLeave');
    // It is still there.
    await order(cluster, app, 'heard');
    process.kill(agent, 'SIGCONT');
    await talk.untilHeard(FLOOD, 'all are there');
    assert.deepEqual(talk.news(), counted(FLOOD));
    await until(() => !cluster.appPids().includes(app), 'it has left');
  });

  it('has what still waits told as dropped where its process ends at once', async () => {
    await talk.floodWhileStopped('floodAndExit');
    const { data } = await cluster.message('master-dropped');
    assert.deepEqual(data, talk.droppedAtItsEnd);
    process.kill(agent, 'SIGCONT');
    await talk.untilHeard(RING, 'the others are there');
    assert.deepEqual(talk.news(), counted(RING));
  });

  it('calls back with an error for what is larger than the arena, and holds up nothing that comes after it', async () => {
    await talk.floodWhileStopped('flood', RING + 100);
    assert.deepEqual(await order(cluster, app, 'sendLong', 2 ** 20), { code: 'ERR_CLUTCH_MESSAGE_TOO_BIG' });
    await order(cluster, app, 'flood', 10);
    process.kill(agent, 'SIGCONT');
    await talk.untilHeard(RING + 110, 'all but the long one are there');
    assert.deepEqual(talk.news(), [...counted(RING + 100), ...counted(10)]);
  });

  it('calls back with an error for what finds no room in the queue', async () => {
    process.kill(agent, 'SIGSTOP');
    let error = null;
    const sent = [];
    while (error === null && sent.length < 100) {
      sent.push(order(cluster, app, 'sendLong', 100_000).then(found => { error ??= found; }));
      await order(cluster, app, 'heard');
    }
    assert.deepEqual(error, { code: 'ERR_CLUTCH_QUEUE_FULL' });
    process.kill(agent, 'SIGCONT');
    await Promise.all(sent);
  });

  it('throws what Node throws against its arguments', async () => {
    for (const options of [5, 'options', null, []]) {
      assert.equal(await order(cluster, app, 'sendWithOptions', options), 'ERR_INVALID_ARG_TYPE');
    }
  });
});
