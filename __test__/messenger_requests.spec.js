'use strict';

const { Bus, readyBus } = require('./support/bus');
const { Messenger } = require('../lib/messenger');

const never = new Promise(() => {});
const errorOf = promise => promise.then(value => { throw new Error(`was answered with ${value}`); }, error => error);

describe('request and reply', () => {
  test.each([
    ['agent', ({ apps }) => apps[0]], ['app', ({ agent }) => agent], ['agent', ({ master }) => master], ['app', ({ master }) => master],
    ['master', ({ agent }) => agent], ['random', ({ apps }) => apps[1]], [22, ({ apps }) => apps[0]], ['10', ({ apps }) => apps[0]],
    [1, ({ apps }) => apps[0]], [21, ({ apps }) => apps[0]],
  ])('to %p is answered', async (target, asker) => {
    const cluster = readyBus();
    const { master, agent, apps } = cluster;
    for (const messenger of [master, agent, ...apps]) {
      messenger.reply('sum', async ({ a, b }, from) => ({ sum: a + b, from, by: messenger.pid }));
    }
    const { sum, from, by } = await asker(cluster).request(target, 'sum', { a: 1, b: 2 });
    expect(sum).toBe(3);
    expect(from).toEqual({ pid: asker(cluster).pid, role: expect.stringMatching(/^(master|agent|app)$/) });
    if (/\d/.test(target)) expect(by).toBe(String(target));
  });

  test('random from the agent and the master goes to one of the apps that the messenger knows', async () => {
    const { bus, agent, apps } = readyBus();
    expect((await errorOf(agent.request('random', 'x'))).code).toBe('ERR_CLUTCH_NO_RECEIVER');
    for (const app of apps) app.reply('who', () => app.pid);
    bus.route({ action: 'egg-pids', data: [21, 22], to: 'agent' }, 'master');
    const answers = new Set();
    await new Promise(setImmediate);
    for (let i = 0; i < 60; i++) answers.add(await agent.request('random', 'who'));
    expect(answers).toEqual(new Set(['21', '22']));
  });

  test('of all apps the first good answer counts, and without one the first error', async () => {
    const { agent, apps } = readyBus();
    apps[1].reply('x', () => 'good');
    expect(await agent.request('app', 'x')).toBe('good');
    apps[1].reply('x', null).reply('x', () => { throw new RangeError('not here'); });
    expect((await errorOf(agent.request('app', 'x'))).code).toBe('ERR_CLUTCH_NO_RECEIVER');
  });

  test('an answer may be undefined, null, or anything that travels', async () => {
    const { agent, apps } = readyBus();
    agent.reply('echo', data => data);
    for (const data of [undefined, null, 0, '', [1, { a: [] }], 'x'.repeat(100000)]) {
      expect(await apps[0].request('agent', 'echo', data)).toEqual(data);
    }
  });

  test('many at once get each its own answer', async () => {
    const { agent, apps } = readyBus();
    agent.reply('slow', async n => {
      for (let i = 0; i < n % 5; i++) await new Promise(setImmediate);
      return n * 2;
    });
    const numbers = Array.from({ length: 200 }, (_, n) => n);
    expect(await Promise.all(numbers.map(n => apps[n % 2].request('agent', 'slow', n)))).toEqual(numbers.map(n => n * 2));
  });

  test('no listener sees them, and egg\'s own envelope is all they need', async () => {
    const { bus, agent, apps } = readyBus();
    const seen = jest.fn();
    agent.on('x', seen).on('egg-clutch:request', seen);
    agent.reply('x', () => 1);
    await apps[0].request('agent', 'x');
    expect(seen).not.toHaveBeenCalled();
    for (const message of bus.sent) expect(['action', 'data', 'to', 'receiverPid']).toEqual(expect.arrayContaining(Object.keys(message)));
  });

  test('one replies to an action, until it is taken away', async () => {
    const { agent, apps } = readyBus();
    expect(agent.reply('x', () => 1)).toBe(agent);
    expect(() => agent.reply('x', () => 2)).toThrow(expect.objectContaining({ code: 'ERR_CLUTCH_OPTION', message: expect.stringContaining('"x"') }));
    expect(() => agent.reply('y', 5)).toThrow(/must be a function/);
    expect(() => agent.reply('', () => 1)).toThrow(/the action must be a string/);
    agent.reply('x', null);
    const error = await errorOf(apps[0].request('agent', 'x'));
    expect(error).toMatchObject({ name: 'ClutchError', code: 'ERR_CLUTCH_NO_RECEIVER', message: 'agent 10 has no reply to "x"' });
  });
});

describe('errors of the far side', () => {
  async function farError(thrown) {
    const { agent, apps } = readyBus();
    agent.reply('x', () => { throw thrown; });
    return errorOf(apps[0].request('agent', 'x'));
  }

  test('arrive with name, message, code, and their stack as the cause', async () => {
    const thrown = Object.assign(new TypeError('not that'), { code: 'E_THAT' });
    const error = await farError(thrown);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'TypeError', message: 'not that', code: 'E_THAT', cause: thrown.stack });
  });

  test('may be of any kind', async () => {
    expect(await farError('just text')).toMatchObject({ name: 'Error', message: 'just text' });
    expect(await farError(undefined)).toMatchObject({ message: 'undefined' });
    expect(await farError({ a: 1 })).toMatchObject({ message: '{ a: 1 }' });
    expect(await farError(Object.assign(new Error('n'), { code: 7 }))).toMatchObject({ code: 7 });
  });

  test('an answer that cannot travel is one', async () => {
    const { agent, apps } = readyBus();
    agent.reply('x', () => ({ big: 1n }));
    expect(await errorOf(apps[0].request('agent', 'x'))).toMatchObject({ name: 'TypeError', message: expect.stringMatching(/BigInt/) });
  });

  test('a question that cannot travel fails where it is asked', async () => {
    const { apps } = readyBus();
    expect(await errorOf(apps[0].request('agent', 'x', { big: 1n }))).toMatchObject({ name: 'TypeError' });
  });
});

describe('a question without an answer', () => {
  test('ends at its time-out', async () => {
    const { agent, apps } = readyBus();
    agent.reply('x', () => never);
    expect(await errorOf(apps[0].request('agent', 'x', 1, { timeout: '20ms' }))).toMatchObject({
      code: 'ERR_CLUTCH_TIMEOUT', message: 'the agent did not answer "x" within 20 ms',
    });
  });

  test('ends when nobody is there', async () => {
    const bus = new Bus();
    const app = bus.start(21, 'app');
    bus.list.complete();
    expect((await errorOf(app.request('agent', 'x'))).code).toBe('ERR_CLUTCH_NO_RECEIVER');
    expect((await errorOf(app.request(999, 'x'))).message).toBe('nobody is there to answer "x": 999');
    expect((await errorOf(bus.master.messenger.request('agent', 'x'))).code).toBe('ERR_CLUTCH_NO_RECEIVER');
  });

  test('waits for one that may still come while the cluster starts', async () => {
    const bus = new Bus();
    const app = bus.start(21, 'app');
    expect((await errorOf(app.request('agent', 'x', 1, { timeout: 30 }))).code).toBe('ERR_CLUTCH_TIMEOUT');
    const late = errorOf(app.request('agent', 'x', 1));
    bus.list.complete();
    expect((await late).code).toBe('ERR_CLUTCH_NO_RECEIVER');
  });

  test.each([['agent', 10], [10, 10], [22, 22]])('to %p ends when its receiver does', async (target, pid) => {
    const { bus, agent, apps } = readyBus();
    const asked = new Promise(resolve => [agent, apps[1]].forEach(messenger => messenger.reply('x', () => { resolve(); return never; })));
    const answer = errorOf(apps[0].request(target, 'x'));
    await asked;
    bus.kill(pid);
    expect(await answer).toMatchObject({ code: 'ERR_CLUTCH_NO_RECEIVER', message: `${pid} ended before it answered "x"` });
  });

  test('to all apps ends with the last of them', async () => {
    const { bus, agent } = readyBus();
    for (const pid of [21, 22]) bus.deafen(pid);
    const answer = errorOf(agent.request('app', 'x'));
    bus.kill(21);
    bus.kill(22);
    expect((await answer).code).toBe('ERR_CLUTCH_NO_RECEIVER');
  });

  test('in a process without a master ends at once', async () => {
    const messenger = new Messenger({ pid: 5, send: () => false, onMessage: () => null });
    expect(await errorOf(messenger.request('agent', 'x'))).toMatchObject({
      code: 'ERR_CLUTCH_NO_RECEIVER', message: 'this process takes part in no cluster, or its master is gone',
    });
  });

  test('waits for what its receiver sent before it ended', async () => {
    const { bus, apps } = readyBus();
    let isRead = false;
    bus.nodes.get(21).transport.hasUnread = () => !isRead;
    bus.deafen(10);
    const answer = apps[0].request('agent', 'x');
    await new Promise(setImmediate);
    const { asker } = bus.sent.find(({ action }) => action === 'egg-clutch:request').data;
    bus.kill(10);
    await new Promise(resolve => setTimeout(resolve, 10));
    bus.route({ action: 'egg-clutch:answer', data: { id: asker.id, pid: '10', role: 'agent', value: 'last words' }, receiverPid: '21' }, 'agent');
    for (let i = 0; i < 3; i++) await new Promise(setImmediate);
    isRead = true;
    expect(await answer).toBe('last words');
  });

  test('ends by its signal, with its reason', async () => {
    const { agent, apps } = readyBus();
    agent.reply('x', () => never);
    const controller = new AbortController();
    const answer = errorOf(apps[0].request('agent', 'x', 1, { signal: controller.signal }));
    controller.abort(new Error('enough'));
    expect((await answer).message).toBe('enough');
    expect((await errorOf(apps[0].request('agent', 'x', 1, { signal: AbortSignal.abort('before') })))).toBe('before');
  });

  test('leaves no timer behind once it is answered', async () => {
    const { agent, apps } = readyBus();
    const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length;
    const before = timers();
    agent.reply('x', () => 1);
    await apps[0].request('agent', 'x', 1, { timeout: '1h' });
    expect(timers()).toBe(before);
  });

  test.each([
    [['nobody', 'x'], /^the target of a request must be 'agent', 'app', 'random', 'master' or a pid, got 'nobody'/],
    [[-1, 'x'], /^the target/], [[['10'], 'x'], /^the target/], [['agent', 5], /^the action must be/],
    [['agent', 'x', 1, { timeout: 0 }], /^timeout must be a duration from 1 ms/], [['agent', 'x', 1, { timeout: Infinity }], /^timeout must be/],
    [['agent', 'x', 1, { signal: {} }], /^signal must be an AbortSignal/], [['agent', 'x', 1, 5], /^the options of a request must be/],
    [['agent', 'x', 1, { timeOut: '1s' }], /^the options of a request must be an object with timeout, signal, and has no timeOut, got/],
  ])('asked as %p is refused', async (args, text) => {
    const { bus, apps } = readyBus();
    expect(await errorOf(apps[0].request(...args))).toMatchObject({ code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(text) });
    expect(bus.sent).toEqual([]);
  });
});

describe('a broadcast with receipts', () => {
  const byPid = results => Object.fromEntries(results.map(({ pid, ...result }) => [pid, result]));

  test('has one result for each receiver, after all its listeners have run', async () => {
    const { agent, apps } = readyBus();
    const done = [];
    agent.on('x', async data => {
      for (let i = 0; i < 5; i++) await new Promise(setImmediate);
      done.push(['agent', data]);
    });
    apps[0].on('x', () => done.push(['21'])).on('x', () => done.push(['21 again']));
    expect(byPid(await apps[1].broadcast.acked('x', { n: 1 }))).toEqual({
      10: { role: 'agent', listeners: 1, error: null }, 21: { role: 'app', listeners: 2, error: null }, 22: { role: 'app', listeners: 0, error: null },
    });
    expect(done).toHaveLength(3);
    expect(done).toContainEqual(['agent', { n: 1 }]);
  });

  test('says whose listener failed, and how', async () => {
    const { master, apps } = readyBus();
    apps[0].on('x', () => { throw new RangeError('no'); }).on('x', () => {});
    apps[1].on('x', async () => { throw Object.assign(new Error('later'), { code: 'E_X' }); });
    const results = byPid(await master.broadcast.acked('x'));
    expect(results[21]).toMatchObject({ listeners: 2, error: { name: 'RangeError', message: 'no' } });
    expect(results[22]).toMatchObject({ listeners: 1, error: { message: 'later', code: 'E_X' } });
    expect(results[10].error).toBe(null);
  });

  test('says who did not answer in time, and who is gone', async () => {
    const { bus, agent, apps } = readyBus();
    apps[0].on('x', () => never);
    bus.deafen(22);
    const asked = agent.broadcast.acked('x', 1, { timeout: 100 });
    await new Promise(setImmediate);
    bus.kill(22);
    const results = byPid(await asked);
    expect(results[21]).toMatchObject({ role: 'app', error: { code: 'ERR_CLUTCH_TIMEOUT' } });
    expect(results[22]).toMatchObject({ role: 'app', error: { code: 'ERR_CLUTCH_NO_RECEIVER' } });
    expect(results[10]).toEqual({ role: 'agent', listeners: 0, error: null });
  });

  test('ends by its signal', async () => {
    const { bus, agent } = readyBus();
    bus.deafen(22);
    const controller = new AbortController();
    const asked = errorOf(agent.broadcast.acked('x', 1, { signal: controller.signal }));
    controller.abort();
    expect((await asked).name).toBe('AbortError');
  });

  test('leaves the plain one what it was', () => {
    const { agent } = readyBus();
    expect(agent.broadcast('x', 1)).toBe(agent);
    expect(Object.keys(agent)).not.toContain('broadcast');
  });
});

describe('flush', () => {
  test('resolves when everybody has read what was sent before', async () => {
    const { agent, apps } = readyBus();
    const seen = [];
    apps[0].on('x', data => seen.push(data));
    for (let i = 0; i < 50; i++) agent.sendToApp('x', i);
    await agent.flush();
    expect(seen).toHaveLength(50);
  });

  test('waits for one that does not read, until it is gone', async () => {
    const { bus, agent } = readyBus();
    bus.deafen(22);
    let isFlushed = false;
    const flushed = agent.flush().then(() => { isFlushed = true; });
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    expect(isFlushed).toBe(false);
    bus.kill(22);
    await flushed;
  });

  test('asks again, since the question itself may find no room', async () => {
    const { bus, agent } = readyBus();
    bus.deafen(22);
    const flushed = agent.flush();
    await new Promise(setImmediate);
    bus.nodes.get(22).isDeaf = false;
    await flushed;
  });
});

describe('odd messages', () => {
  test.each([
    ['egg-clutch:request', null], ['egg-clutch:request', { asker: { id: 1 } }], ['egg-clutch:answer', { id: 'nobody asked', pid: '1', role: 'app' }],
    ['egg-clutch:answer', 'x'], ['egg-clutch:members', { members: [[1, 'app']] }], ['egg-clutch:members', 5], ['egg-clutch:ping', []],
    ['egg-clutch:watch', undefined], ['egg-clutch:unknown', 1],
  ])('%s with %j changes nothing', async (action, data) => {
    const { bus, agent, apps } = readyBus();
    agent.reply('x', () => 1);
    for (const to of ['agent', 'app', 'master']) bus.route({ action, data, to }, 'app');
    expect(await apps[0].request('agent', 'x')).toBe(1);
  });

  test('a receipt for nobody is none', async () => {
    const { bus, agent, apps } = readyBus();
    const seen = jest.fn();
    agent.on('x', seen).reply('y', () => 1);
    bus.route({ action: 'x', data: 1, to: 'agent', receipt: { id: 5 } }, 'app');
    await apps[0].request('agent', 'y');
    expect(seen).toHaveBeenCalledWith(1);
  });
});
