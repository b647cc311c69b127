'use strict';
// process.send() with messages of unusual make, beside a receiver that stands still, and in a process that ends right after it.

const assert = require('node:assert/strict');
const { startFolder, startedPids, master } = require('../helpers/folder_cluster');
const { order, tell } = require('../helpers/orders');
const { until } = require('../helpers/waiting');

const RING = 1024;
const FLOOD = 3000;
const ODD_FORMS = [
  'instance', 'inherited', 'toJSON', 'boxed', 'toNull', 'toNothing', 'toFalse', 'toBoxed', 'pidNull', 'pidZero', 'pidNaN', 'pidNothing',
];

describe('process.send()', () => {
  let cluster;
  let agent;
  let app;
  const heard = [];

  before(async () => {
    const messenger = { arena: '1mb', maxQueue: '1mb' };
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
  afterEach(() => process.kill(agent, 'SIGCONT'));

  /** What the agent has heard from apps since the test began. */
  async function hear() {
    const more = await order(cluster, agent, 'heard');
    heard.push(...more.filter(({ from }) => from === 'app'));
    return heard;
  }

  const counted = count => Array.from({ length: count }, (_, place) => place);
  const news = () => heard.filter(({ action }) => action === 'news').map(({ data }) => data);

  async function floodWhileStopped(command, count) {
    process.kill(agent, 'SIGSTOP');
    tell(cluster, app, command, count);
    await cluster.output(new RegExp(`${app} has sent ${count}`));
  }

  for (const form of ODD_FORMS) {
    it(`keeps the order of a message that is made like this: ${form}`, async () => {
      await order(cluster, app, 'sendForm', form);
      await until(async () => (await hear()).length === 2, 'both are there');
      assert.deepEqual(heard.map(({ action, to }) => [action, to]), [['first', 'agent'], ['second', 'agent']]);
    });
  }

  it('keeps the order of a message with a handle, which ends in the master, also where others wait', async () => {
    for (const isStopped of [false, true]) {
      if (isStopped) process.kill(agent, 'SIGSTOP');
      assert.equal(await order(cluster, app, 'floodAroundHandle', RING), null);
      process.kill(agent, 'SIGCONT');
      await until(async () => (await hear()).length === 2 * RING + 1, 'all are there');
      assert.deepEqual(heard.splice(0).map(({ data, handle }) => handle ?? data), [...counted(RING), 'with a handle', ...counted(RING)]);
    }
  });

  it('calls back when the message has left, so that a process that ends then loses nothing', async () => {
    await floodWhileStopped('floodAndLeave', FLOOD);
    // It is still there.
    await order(cluster, app, 'heard');
    process.kill(agent, 'SIGCONT');
    await until(async () => (await hear()).length === FLOOD, 'all are there');
    assert.deepEqual(news(), counted(FLOOD));
    await until(() => !cluster.appPids().includes(app), 'it has left');
  });

  it('has what still waits told as dropped where its process ends at once', async () => {
    await floodWhileStopped('floodAndExit', FLOOD);
    const { data } = await cluster.message('master-dropped');
    assert.deepEqual(data, {
      reason: 'sender-ended', action: 'news', count: FLOOD - RING, from: { role: 'app', pid: app }, to: { role: 'agent', pid: agent },
    });
    process.kill(agent, 'SIGCONT');
    await until(async () => (await hear()).length === RING, 'the others are there');
    assert.deepEqual(news(), counted(RING));
  });

  it('calls back with an error for what is larger than the arena, and holds up nothing that comes after it', async () => {
    await floodWhileStopped('flood', RING + 100);
    assert.deepEqual(await order(cluster, app, 'sendLong', 2 ** 20), { code: 'ERR_CLUTCH_MESSAGE_TOO_BIG' });
    await order(cluster, app, 'flood', 10);
    process.kill(agent, 'SIGCONT');
    await until(async () => (await hear()).length === RING + 110, 'all but the long one are there');
    assert.deepEqual(news(), [...counted(RING + 100), ...counted(10)]);
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
