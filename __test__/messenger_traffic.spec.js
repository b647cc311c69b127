'use strict';

const { Backlog } = require('../lib/messenger/backlog');
const { ChannelMeter } = require('../lib/messenger/channel_meter');
const { DropReports } = require('../lib/messenger/drops');
const { sizeOf } = require('../lib/messenger/size_of');
const { Sampler, AT_ONCE, ONE_IN } = require('../lib/messenger/sampler');
const { Traffic, shareTraffic, MAX_ACTIONS, REST, SLOW_MS } = require('../lib/messenger/traffic');
const { WorkerDrops } = require('../lib/master/worker_drops');
const { readyBus } = require('./support/bus');

describe('counters', () => {
  test('are kept by action', () => {
    const traffic = new Traffic();
    traffic.noteSent('a', 10);
    traffic.noteSent('a', 30);
    traffic.noteReceived('a');
    traffic.noteDropped('b');
    traffic.noteQueued('a', 1);
    traffic.noteQueued('a', 1);
    traffic.noteQueued('a', -1);
    for (const ms of [2, 8, 5]) traffic.noteWaited('a', ms);
    for (const ms of [1, SLOW_MS, SLOW_MS + 1]) traffic.noteRun('a', ms);
    const nothing = { timed: 0, totalMs: 0, longestMs: 0 };
    expect(traffic.snapshot()).toEqual({
      a: {
        sent: 2, received: 1, bytes: 40, largest: 30, dropped: 0, queued: 1,
        timeInQueue: { timed: 3, totalMs: 15, longestMs: 8 },
        listeners: { timed: 3, totalMs: 2 * SLOW_MS + 2, longestMs: SLOW_MS + 1, slow: 1 },
      },
      b: { sent: 0, received: 0, bytes: 0, largest: 0, dropped: 1, queued: 0, timeInQueue: nothing, listeners: { ...nothing, slow: 0 } },
    });
  });

  test('are bounded, whatever an app sends', () => {
    const traffic = new Traffic();
    for (let i = 0; i < MAX_ACTIONS * 4; i++) traffic.noteSent(`id-${i}`, 1);
    traffic.noteSent('id-0', 1);
    const snapshot = traffic.snapshot();
    expect(Object.keys(snapshot)).toHaveLength(MAX_ACTIONS + 1);
    expect(snapshot['id-0'].sent).toBe(2);
    expect(snapshot[REST].sent).toBe(MAX_ACTIONS * 3);
  });

  test('lie where the master reads them, and two messengers of a process share them', () => {
    const values = new Float64Array((MAX_ACTIONS + 1) * 32);
    shareTraffic({ tally: () => values, tallyRow: action => (action === 'a' ? 3 : 0) });
    try {
      const [one, other] = [new Traffic(), new Traffic()];
      one.noteSent('a', 10);
      other.noteSent('a', 30);
      other.noteDropped('nobody has a row for it');
      expect([...values.subarray(96, 100)]).toEqual([2, 0, 40, 30]);
      expect(values[4]).toBe(1);
      expect(other.snapshot()[REST].dropped).toBe(1);
    } finally {
      delete globalThis[Symbol.for('egg-clutch.tally')];
    }
    shareTraffic({ tally: () => null });
    expect(new Traffic().snapshot()).toEqual({});
  });

  test('of times are taken of all where they are few, and of one in many', () => {
    let now = 0;
    const sampler = new Sampler(() => now);
    const taken = count => Array.from({ length: count }, () => sampler.takes()).filter(Boolean).length;
    expect(taken(AT_ONCE)).toBe(AT_ONCE);
    expect(taken(10 * ONE_IN)).toBe(10);
    now = 1000;
    expect(taken(ONE_IN + AT_ONCE)).toBe(1 + AT_ONCE);
  });

  test('take any name', () => {
    const traffic = new Traffic();
    for (const name of ['__proto__', 'constructor', '']) traffic.noteSent(name, 1);
    expect(Object.keys(traffic.snapshot())).toEqual(['__proto__', 'constructor', '']);
  });

  test('are in stats(), of what goes by the channel', () => {
    const { agent, apps } = readyBus();
    agent.sendToApp('news', 'x'.repeat(100));
    agent.sendToApp('news', 'x');
    expect(agent.stats()).toMatchObject({ dropped: 0, actions: { news: { sent: 2, bytes: 101, largest: 100 } } });
    return new Promise(resolve => apps[0].on('news', () => {
      expect(apps[0].stats().actions.news.received).toBeGreaterThan(0);
      resolve();
    }));
  });
});

describe('the estimate of a size', () => {
  test.each([['abc', 3], [5, 8], [null, 4], [undefined, 4], [Buffer.alloc(1000), 1000], [new Float64Array(4), 32], [[1, 2], 20], [{ a: 'xy' }, 6]])('of %p is %p', (value, bytes) => {
    expect(sizeOf(value)).toBe(bytes);
  });

  test('ends for anything', () => {
    const cyclic = {};
    cyclic.self = cyclic;
    expect(sizeOf(cyclic)).toBeGreaterThan(0);
    expect(sizeOf(new Array(1e6).fill(1))).toBeGreaterThan(7e6);
    let deep = {};
    for (let i = 0; i < 100000; i++) deep = { deep };
    expect(sizeOf(deep)).toBeLessThan(10000);
  });
});

describe('pressure', () => {
  test('is told when it gets high, and when it is low again, and not in between', () => {
    let now = 0;
    const told = [];
    const backlog = new Backlog(() => now);
    backlog.onChange = (event, pressure) => told.push([event, pressure]);
    for (const value of [0, 0.3, 0.5, 0.9, 0.4, 0.6, 0.11, 0.1, 0.2, 0, 0.7]) {
      now = value;
      backlog.look();
    }
    expect(told).toEqual([['pressure', 0.5], ['drain', 0.1], ['pressure', 0.7]]);
  });

  test('is what Node has not written, where messages go by the channel', () => {
    const meter = new ChannelMeter(() => 1000);
    const told = [];
    meter.backlog.onChange = event => told.push(event);
    const written = [];
    const message = { action: 'a', data: 'x'.repeat(100) };
    for (let i = 0; i < 12; i++) meter.send(message, done => { written.push(done); });
    expect(meter.backlog.pressure).toBe(1);
    expect(meter.load()).toMatchObject({ messages: 12, bytes: 1200, waited: 0 });
    for (const done of written) done();
    expect(meter.load()).toMatchObject({ messages: 0, bytes: 0, waited: 12 });
    expect(told).toEqual(['pressure', 'drain']);
  });

  test('is nothing of what nobody takes, of what cannot be sent, and of what is written at once', () => {
    const meter = new ChannelMeter(() => 1000);
    const message = { action: 'a', data: 'x'.repeat(600) };
    expect(meter.send(message, () => false)).toBe(false);
    expect(() => meter.send(message, () => { throw new TypeError('of the channel'); })).toThrow('of the channel');
    expect(meter.traffic.snapshot()).toEqual({});
    expect(meter.send(message, done => done())).toBe(true);
    expect([meter.backlog.pressure, meter.load()]).toEqual([0, expect.objectContaining({ messages: 0, bytes: 0, waited: 1 })]);
    expect(meter.traffic.snapshot().a).toMatchObject({ sent: 1, queued: 0, bytes: 600 });
  });

  test('reaches listeners of the messenger, and one that throws harms nobody', () => {
    const { agent, bus } = readyBus();
    const seen = [];
    agent.on('pressure', () => { throw new Error('bad listener'); }).on('pressure', value => seen.push(value)).on('drain', value => seen.push(value));
    let done;
    const { transport } = bus.nodes.get(10);
    transport.send = (_envelope, written) => { done = written; };
    agent.sendToApp('a', 'x'.repeat(200 * 2 ** 20));
    done();
    expect(seen).toEqual([200 / 256, 0]);
    expect(agent.pressure).toBe(0);
  });
});

describe('drops', () => {
  const to = { role: 'app', pid: '21' };
  const later = () => new Promise(resolve => setTimeout(resolve, 120));

  test('of a while are told together, and of many kinds a limited number by name', async () => {
    const sent = [];
    const reports = new DropReports({ pid: '10', role: 'agent' }, envelope => sent.push(envelope));
    for (let i = 0; i < 1000; i++) reports.note({ action: 'a', reason: 'queue-full', to });
    for (let i = 0; i < 1000; i++) reports.note({ action: `id-${i}`, reason: 'queue-full', to });
    await later();
    expect(sent).toHaveLength(1);
    const { from, drops } = sent[0].data;
    expect(from).toEqual({ pid: '10', role: 'agent' });
    expect(drops[0]).toEqual({ action: 'a', reason: 'queue-full', to, count: 1000 });
    expect(drops).toHaveLength(65);
    expect(drops.reduce((sum, { count }) => sum + count, 0)).toBe(2000);
    reports.note({ action: 'b', reason: 'too-big', to });
    await later();
    expect(sent[1].data.drops).toEqual([{ action: 'b', reason: 'too-big', to, count: 1 }]);
  });

  test('are told with who sent them, where that is another than who tells, and at once where the process ends', () => {
    const sent = [];
    const told = [];
    const reports = new DropReports({ pid: '10', role: 'agent' }, envelope => sent.push(envelope));
    reports.note({ action: 'a', reason: 'unreadable', to: { role: 'agent', pid: '10' }, from: to });
    reports.note({ action: 'a', reason: 'unreadable', to: { role: 'agent', pid: '10' } });
    const last = JSON.parse(reports.takeLast(4900));
    expect([reports.takeLast(4900), sent]).toEqual([null, []]);
    new WorkerDrops(drop => told.push(drop)).take(last);
    expect(told.map(({ from, count }) => [from, count])).toEqual([[{ role: 'app', pid: 21 }, 1], [{ role: 'agent', pid: 10 }, 1]]);
  });

  test('are kept for the end where there is no way to tell them any more', async () => {
    const reports = new DropReports({ pid: '10', role: 'agent' }, () => false);
    reports.note({ action: 'a', reason: 'queue-full', to });
    await later();
    reports.note({ action: 'a', reason: 'queue-full', to });
    expect(JSON.parse(reports.takeLast(4900)).data.drops).toEqual([{ action: 'a', reason: 'queue-full', to, count: 2 }]);
  });

  test('are told by number where the room for the last report is less than their names', () => {
    const reports = new DropReports({ pid: '10', role: 'agent' }, () => {});
    const name = `${'ü'.repeat(3000)}`;
    reports.note({ action: name, reason: 'sender-ended', to, count: 5 });
    for (let at = 0; at < 60; at++) reports.note({ action: `${at}`.padStart(64, '0'), reason: at % 2 ? 'too-big' : 'sender-ended', to });
    const text = reports.takeLast(4900);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4900);
    const told = [];
    new WorkerDrops(drop => told.push(drop)).take(JSON.parse(text));
    const counted = wanted => told.filter(({ reason }) => reason === wanted).reduce((sum, { count }) => sum + count, 0);
    expect([counted('too-big'), counted('sender-ended')]).toEqual([30, 35]);
    expect(told.some(({ action, to: { pid } }) => action === '(other)' && pid === null)).toBe(true);
  });

  test('are counted and told by the master, which believes no odd report', () => {
    const told = [];
    const drops = new WorkerDrops(drop => told.push(drop));
    expect(drops.take({ action: 'other' })).toBe(false);
    const from = { pid: '10', role: 'agent' };
    expect(drops.take({ action: 'egg-clutch:dropped', data: { from, drops: [{ action: 'a', reason: 'queue-full', to, count: 3 }] } })).toBe(true);
    for (const data of [null, 5, { drops: 1 }, { drops: [null, { count: -1 }, { count: 'x' }] }]) drops.take({ action: 'egg-clutch:dropped', data });
    expect(told[0]).toEqual({ action: 'a', reason: 'queue-full', count: 3, from: { role: 'agent', pid: 10 }, to: { role: 'app', pid: 21 } });
    expect(drops.count).toBe(6);
  });
});
