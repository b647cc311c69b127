'use strict';

const { ClutchError } = require('..');
const { booted: bootedFake } = require('./support/fake_native');
const { appDir, removeAll } = require('./support/app_dir');

let baseDir;
beforeAll(() => { baseDir = appDir(); });
afterAll(removeAll);

const booted = () => bootedFake({ baseDir });
const lastRequest = native => native.of('request').at(-1)[0];

test.each([
  ['reload', [], { kind: 'reload' }], ['reload', [{ agent: true }], { kind: 'reload', agent: true }], ['reload', [{}], { kind: 'reload' }],
  ['scale', [3], { kind: 'scale', workers: 3 }], ['restart', [2], { kind: 'restart', id: 2 }],
  ['isolate', [2], { kind: 'isolate', id: 2 }], ['rejoin', [2], { kind: 'rejoin', id: 2 }],
])('%s(%p) asks the native half, and resolves with its answer', async (name, args, request) => {
  const { native, cluster } = await booted();
  const answer = cluster[name](...args);
  const { ticket, ...asked } = lastRequest(native);
  expect(asked).toEqual(request);
  native.event({ type: 'answer', ticket, value: { workers: 3 } });
  expect(await answer).toEqual(['reload', 'scale'].includes(name) ? { workers: 3 } : undefined);
});

test('answers find those who asked, in any order', async () => {
  const { native, cluster } = await booted();
  const answers = [cluster.scale(1), cluster.scale(2)];
  const [first, second] = native.of('request').map(([{ ticket }]) => ticket);
  native.event({ type: 'answer', ticket: second, value: { workers: 2 } });
  native.event({ type: 'answer', ticket: first, value: { workers: 1 } });
  native.event({ type: 'answer', ticket: first, value: { workers: 9 } });
  expect(await Promise.all(answers)).toEqual([{ workers: 1 }, { workers: 2 }]);
});

test('a refusal is an error with its code, what was asked, and the facts as its cause', async () => {
  const { native, cluster } = await booted();
  const answer = cluster.reload();
  const facts = { id: 3, pid: 4, slot: 0, code: 1, signal: null, reason: 'boot-failed' };
  const { ticket } = lastRequest(native);
  native.event({ type: 'answer', ticket, error: { code: 'ERR_CLUTCH_RELOAD', message: 'the new app_worker#3:4 died', facts } });
  const error = await answer.catch(reason => reason);
  expect(error).toBeInstanceOf(ClutchError);
  expect(error).toMatchObject({ code: 'ERR_CLUTCH_RELOAD', message: 'reload: the new app_worker#3:4 died', cause: facts });
});

test('the end of the cluster answers everybody', async () => {
  const { native, cluster } = await booted();
  const answer = cluster.scale(5);
  native.event({ type: 'exit', code: 0 });
  await expect(answer).rejects.toMatchObject({ code: 'ERR_CLUTCH_CLOSED' });
});

test.each([
  ['reload', 5, /the argument of reload must be an object/], ['reload', { agent: 1 }, /agent must be true or false/],
  ['scale', 0, /workers must be a whole number from 1 to 1024/], ['scale', '2', /workers must be/], ['scale', 1025, /workers must be/],
  ['restart', 0, /id must be/], ['isolate', undefined, /id must be/], ['rejoin', 1.5, /id must be/],
])('%s(%p) is refused', async (name, argument, message) => {
  const { native, cluster } = await booted();
  await expect(cluster[name](argument)).rejects.toMatchObject({ code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(message) });
  expect(native.of('request')).toEqual([]);
});

test('the environment is told as it is when it is asked for', async () => {
  const { native, proc } = await booted();
  proc.env.LATER = 'yes';
  native.event({ type: 'environment' });
  expect(native.of('setEnvironment')).toEqual([[['LATER=yes']]]);
});
