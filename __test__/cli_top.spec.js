'use strict';

const { emptyHistory, withStatus, seriesOf, totalRates } = require('../lib/cli/top/history');
const { screen, shownOf } = require('../lib/cli/top/screen');
const { spark } = require('../lib/cli/top/spark');
const { firstView, press } = require('../lib/cli/top/view');
const { STATUS } = require('./support/fake_control');

const plainPaint = (_colour, text) => text;
const SIZE = { columns: 100, rows: 24 };

function vitals({ total = 0, rss = 50 << 20, cpuMs = 0, lagMs = 0 } = {}) {
  return {
    uptimeMs: 61000, cpuMs, rss, heapUsed: 9 << 20, heapTotal: 0, external: 0, connections: 2,
    eventLoop: { state: 'waits', lagMs, lagP99Ms: 1.5, longestTurnMs: 9, utilization: 0.25 },
    requests: { total, inFlight: 1, '2xx': total, '3xx': 0, '4xx': 0, '5xx': 0, brokenOff: 0 },
  };
}

function status(workers, more = {}) {
  return { ...STATUS, workers: workers.map((worker, slot) => ({ ...STATUS.workers[0], slot, generation: 1, ...worker })), ...more };
}

const TWO = [
  [0, status([{ id: 1, pid: 101, vitals: vitals() }, { id: 2, pid: 102, vitals: vitals({ rss: 90 << 20 }) }])],
  [2000, status([
    { id: 1, pid: 101, vitals: vitals({ total: 100, cpuMs: 500 }) },
    { id: 2, pid: 102, vitals: vitals({ total: 300, rss: 90 << 20 }) },
  ])],
];
const historyOf = samples => samples.reduce((history, [at, found]) => withStatus(history, at, found), emptyHistory());

const show = (history, settings = {}) => screen({ history, size: SIZE, view: firstView(), paint: plainPaint, plain: true, ...settings });

/** The view after these keys, and the last effect. */
function after(keys, history = historyOf(TWO), view = firstView()) {
  let effect;
  for (const key of keys) {
    const { processes, columns } = shownOf(history, view);
    ({ view, effect } = press(view, key, processes, columns));
  }
  return { view, effect };
}

describe('history', () => {
  test('says by two samples how many requests and how much processor there were', () => {
    const history = historyOf(TWO);
    expect(totalRates(history)).toEqual([0, 200]);
    const [, first] = history.samples.at(-1).processes;
    expect(first).toMatchObject({ key: 1, rate: 50, cpu: 0.25 });
    expect(seriesOf(history, first, 'requests')).toEqual([0, 100]);
  });

  test('does not compare a process with its predecessor', () => {
    const history = historyOf([TWO[1], [3000, status([{ id: 1, pid: 999, vitals: vitals({ total: 1 }) }])]]);
    expect(history.samples.at(-1).processes.find(({ pid }) => pid === 999).rate).toBeUndefined();
  });

  test('keeps the last two minutes only', () => {
    const history = historyOf(Array.from({ length: 300 }, (_, at) => [at * 1000, STATUS]));
    expect(history.samples).toHaveLength(120);
    expect(history.samples[0].atMs).toBe(180000);
  });
});

describe('screen', () => {
  test('shows the cluster, who is in it, the selected one, and the keys', () => {
    const lines = show(historyOf(TWO));
    expect(lines).toHaveLength(SIZE.rows);
    expect(lines[0]).toBe(`ready | 2 of 2 serve | http://127.0.0.1:7001 | master ${process.pid}`);
    expect(lines[1]).toMatch(/^200 requests a second +_#$/);
    expect(lines.slice(3, 7)).toEqual([
      '  ID^    STATE  PID  GEN  UP  LOOP  LAG  P99  CPU  MEM  HEAP  CONN  BUSY  REQ/S  REQS  5XX',
      expect.stringMatching(/^> agent {2}ready {2}100 {4}1 {3}-/),
      '  1      ready  101    1  1m   25%  0.0  1.5  25%  50M  9.0M     2     1     50   100    0',
      '  2      ready  102    1  1m   25%  0.0  1.5   0%  90M  9.0M     2     1    150   300    0',
    ]);
    expect(lines.at(-1)).toMatch(/^q leave {2}h keys/);
  });

  test.each([[20, 5], [40, 10], [80, 24], [300, 100], [1, 1]])('fits into %d columns and %d rows', (columns, rows) => {
    const death = { role: 'app', id: 1, kind: 'killed', words: 'x'.repeat(400), phase: 'serving' };
    const history = historyOf([[0, { ...TWO[1][1], lastDeaths: [death] }]]);
    const { view } = after(['down', 'i'], history);
    for (const shown of [firstView(), view, { ...view, asking: null, page: { title: 'a', lines: ['b'.repeat(500), 'c'], from: 0 } }]) {
      const lines = show(history, { size: { columns, rows }, view: shown });
      expect(lines).toHaveLength(rows);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(Math.max(20, columns));
    }
  });

  test('says what is wrong in the place of the state, and keeps the last that is known', () => {
    const lines = show(historyOf(TWO), { trouble: 'the cluster is gone' });
    expect(lines[0]).toBe('the cluster is gone');
    expect(lines.join('\n')).toContain('101');
  });

  test('lets nothing that a worker wrote steer the terminal', () => {
    const death = { role: 'app', id: 1, kind: 'killed', words: 'a\x1b[2Jb\x07c\nd', phase: 'serving' };
    const lines = show(historyOf([[0, { ...STATUS, lastDeaths: [death] }]]));
    expect(lines).toContain('  worker 1 abc d');
  });

  test('colours are said by a word or a sign as well', () => {
    const painted = screen({ history: historyOf([[0, STATUS]]), size: SIZE, view: firstView(), paint: (colour, text) => `<${colour}>${text}` });
    expect(painted[0]).toMatch(/^<green>ready · /);
    expect(painted.find(line => line.includes('isolated'))).toMatch(/^<yellow> {2}3 +isolated/);
    expect(painted.find(line => line.includes('agent'))).toMatch(/^<reverse>> agent/);
  });
});

test('bars are in proportion, and unknown values are blank', () => {
  expect(spark([0, 4, undefined, 8], 5, true)).toBe(' _= #'.padStart(5));
  expect(spark([1, 2, 3], 2)).toBe('▆█');
  expect(spark([0, 0], 2)).toBe('▁▁');
});

describe('keys', () => {
  test('select, and stop at the ends', () => {
    expect(after(['down']).view.selected).toBe(1);
    expect(after(['down', 'down', 'down', 'down']).view.selected).toBe(2);
    expect(after(['down', 'up', 'up']).view.selected).toBe('agent');
  });

  test('sort by any column, the largest figures first, and back', () => {
    const history = historyOf(TWO);
    const memory = Array(9).fill('right');
    const { view } = after(memory);
    expect(view).toMatchObject({ sort: 'memory', descending: true });
    expect(shownOf(history, view).processes.map(({ key }) => key)).toEqual([2, 1, 'agent']);
    expect(shownOf(history, after([...memory, 'o']).view).processes.map(({ key }) => key)).toEqual(['agent', 1, 2]);
  });

  test.each([
    ['r', 'Restart worker 1?', { order: 'restart', body: { id: 1 }, name: 'restart 1' }],
    ['i', 'Isolate worker 1?', { order: 'isolate', body: { id: 1 }, name: 'isolate 1' }],
    ['j', 'Give connections again to worker 1?', { order: 'rejoin', body: { id: 1 }, name: 'rejoin 1' }],
    ['R', 'Reload all workers?', { order: 'reload', body: {}, name: 'reload' }],
  ])('%s asks "%s" and does it for y only', (key, question, effect) => {
    const asked = after(['down', key]);
    expect(asked.effect).toBeUndefined();
    expect(show(historyOf(TWO), { view: asked.view }).at(-1)).toBe(`${question} [y/N]`);
    expect(after(['down', key, 'y']).effect).toEqual(effect);
    for (const other of ['n', 'enter', 'escape', 'q']) {
      const no = after(['down', key, other]);
      expect([no.effect, no.view.said]).toEqual([undefined, 'nothing done']);
    }
  });

  test('the agent can be restarted, and not isolated', () => {
    expect(after(['r', 'y']).effect.body).toEqual({ id: 'agent' });
    expect(after(['i']).view).toMatchObject({ asking: null, said: 'isolate is for workers, not for the agent' });
  });

  test('a stack is asked for at once, q leaves, and Ctrl-C leaves from anywhere', () => {
    expect(after(['s']).effect).toEqual({ order: 'stack', body: { id: 'agent' }, name: 'stack agent' });
    expect(after(['q']).effect).toBe('quit');
    expect(after(['h', 'interrupt']).effect).toBe('quit');
    expect(after(['r', 'interrupt']).effect).toBe('quit');
  });

  test('a page is turned over, and left by any other key', () => {
    const opened = after(['h']).view;
    expect(show(historyOf(TWO), { view: opened })[0]).toBe('Keys');
    expect(after(['down', 'down'], undefined, opened).view.page.from).toBe(2);
    expect(after(['q'], undefined, opened)).toMatchObject({ view: { page: null } });
  });
});
