'use strict';

const { sentenceOf, withHappening } = require('../src/control/page/happenings');
const { arc, chart, describe: words, flowOf, picture, sizeFor, GHOST_MS } = require('../src/control/page/picture');

const worker = (id, slot, more = {}) => ({ role: 'app', key: id, id, slot, pid: 100 + id, state: 'ready', ...more });
const agent = { role: 'agent', key: 'agent', id: 1, pid: 1, state: 'ready' };

test('the agent stands in the middle, and each worker at the place of its slot', () => {
  const { nodes, ties } = picture([agent, worker(1, 0), worker(2, 1), worker(3, 2), worker(4, 3)], [], 0);
  expect(nodes.map(({ label, x, y }) => [label, Math.round(x) + 0, Math.round(y) + 0]))
    .toEqual([['agent', 0, 0], ['1', 0, -150], ['2', 150, 0], ['3', 0, 150], ['4', -150, 0]]);
  expect(ties).toHaveLength(4);
});

test('a successor stands where its predecessor stood, who makes room', () => {
  const { nodes } = picture([worker(1, 0, { state: 'draining' }), worker(2, 0)], [], 0);
  expect(nodes[1].y).toBe(-150);
  expect(nodes[0].y).toBeGreaterThan(-150);
});

test('who has died is shown for a moment', () => {
  const dead = [{ found: worker(1, 0), atMs: 1000 }];
  expect(picture([], dead, 1000 + GHOST_MS - 1).nodes).toMatchObject([{ isDead: true, words: 'worker 1 dead' }]);
  expect(picture([], dead, 1000 + GHOST_MS).nodes).toEqual([]);
});

test('sixty-four workers have room beside each other', () => {
  const { nodes } = picture(Array.from({ length: 64 }, (_, slot) => worker(slot + 1, slot)), [], 0);
  const [a, b] = nodes;
  expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeGreaterThan(2 * sizeFor(64));
});

test('the load is an arc, up to the whole turn', () => {
  expect(arc(10, 0.25)).toBe('M0 -10A10 10 0 0 1 10.00 -0.00');
  expect(arc(10, 1)).toMatch(/^M0 -10A10 10 0 1 1 /);
});

test('nothing flows where nobody asks, and more is faster and thicker', () => {
  expect(flowOf(0)).toBeNull();
  const [little, much] = [flowOf(1), flowOf(10000)];
  expect(much.width).toBeGreaterThan(little.width);
  expect(Number(much.seconds)).toBeLessThan(Number(little.seconds));
});

test('messages move along the ties, on the right of their way, and between agent and workers only', () => {
  const busy = worker(1, 0, { sendRate: 1000, receiveRate: 1 });
  const { messages } = picture([agent, busy, worker(2, 1, { sendRate: 0, receiveRate: 0 })], [], 0);
  expect(messages.map(({ key }) => key)).toEqual(['1-101-in', '1-101-out']);
  const [received, sent] = messages;
  // The worker stands above the agent.
  expect([received.from.y > received.to.y, sent.from.y < sent.to.y]).toEqual([true, true]);
  expect(received.from.x).toBe(-sent.from.x);
  expect(received.from.x).toBeGreaterThan(0);
  expect(sent.width).toBeGreaterThan(received.width);
  expect(picture([busy], [], 0).messages).toEqual([]);
  expect(picture([agent], [{ found: busy, atMs: 0 }], 1).messages).toEqual([]);
});

test('a chart leaves gaps where nothing is known, and ends at the right', () => {
  expect(chart([undefined, 5])).toBeNull();
  expect(chart([1, undefined, 2, 2], 100, 20, 5)).toBe('M25.0 10.0M75.0 1.0L100.0 1.0');
});

test('a process is told in words', () => {
  expect(words(worker(3, 0, { loop: 0.25, rate: 12.4, memory: 64 << 20 }))).toBe('worker 3 ready, 25% busy, 12 requests a second, 64M memory');
  expect(words({ ...agent, messageRate: 1500 })).toBe('agent ready, 1.5k messages a second');
  expect(words({ ...worker(3, 0), role: 'spare' })).toBe('spare worker 3 ready');
});

test.each([
  ['worker-exited', { id: 3, pid: 7, reason: 'killed', cause: { words: 'was killed by SIGKILL' } }, 'worker 3 (process 7): was killed by SIGKILL', true],
  ['worker-exited', { id: 3, pid: 7, reason: 'asked', code: 0, signal: null }, 'worker 3 (process 7): ended with code 0', false],
  ['agent-exited', { id: 1, pid: 7, reason: 'crashed', code: null, signal: 'SIGSEGV' }, 'the agent: was ended by SIGSEGV', true],
  ['stuck', { role: 'app', id: 2, stage: 'over' }, 'worker 2 has come back to its event loop', false],
  ['stuck', { role: 'agent', id: 1, stage: 'steer' }, 'the agent stands still', true],
  ['reload-started', { count: 2 }, 'reloads 2 workers', false],
  ['reload-done', { count: 2, agent: true }, 'reloaded: 2 workers and the agent are new', false],
  ['message-dropped', { action: 'a', count: 3 }, 'messages were dropped: 3 of a', true],
])('%s of %p is told as "%s"', (name, data, text, isBad) => {
  expect(sentenceOf(name, data)).toEqual({ text, isBad });
});

test('what happens is kept for a while, the newest first', () => {
  expect(sentenceOf('something-new', {})).toBeNull();
  const all = Array.from({ length: 120 }, (_, number) => ({ number })).reduce(withHappening, []);
  expect(all).toHaveLength(100);
  expect(all[0].number).toBe(119);
});
