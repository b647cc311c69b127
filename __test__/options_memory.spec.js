'use strict';

const { parseOptions } = require('..');
const { defaultWorkers, memoryLimit, heapBudget, oomFiles } = require('../lib/options/memory_plan');
const { appDir, removeAll } = require('./support/app_dir');

let baseDir;
beforeAll(() => { baseDir = appDir(); });
afterAll(removeAll);

const MB = 2 ** 20;
const V2 = '30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n';
const V1 = '33 32 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n';
const reader = files => file => (Object.hasOwn(files, file) ? files[file] : null);
const v2 = (group, files) => reader({ '/proc/self/cgroup': `0::${group}\n`, '/proc/self/mountinfo': V2, ...files });
const v1 = (group, files) => reader({ '/proc/self/cgroup': `5:memory:${group}\n`, '/proc/self/mountinfo': V1, ...files });
const limited = megabytes => v2('/', { '/sys/fs/cgroup/memory.max': `${megabytes * MB}\n` });
const machine = (megabytes, more) => ({ cpus: 8, total: 64 * 1024 * MB, read: limited(megabytes), heapLimit: 2048 * MB, ...more });
const proc = (execArgv = [], env = {}) => ({ execArgv, env });

describe('the limit of memory', () => {
  test('is the strictest of our cgroup, all above it, and the machine', () => {
    const files = { '/sys/fs/cgroup/a/b/memory.max': 'max\n', '/sys/fs/cgroup/a/memory.max': String(300 * MB) };
    expect(memoryLimit({ read: v2('/a/b', files), total: 900 * MB })).toEqual({ bytes: 300 * MB, isCgroup: true });
    expect(memoryLimit({ read: v2('/a/b', files), total: 200 * MB })).toEqual({ bytes: 200 * MB, isCgroup: false });
  });

  test('of version 1 is a number as well, and a very large one is none', () => {
    const file = '/sys/fs/cgroup/memory/docker/memory.limit_in_bytes';
    expect(memoryLimit({ read: v1('/docker', { [file]: `${512 * MB}\n` }), total: 900 * MB }).bytes).toBe(512 * MB);
    expect(memoryLimit({ read: v1('/docker', { [file]: '9223372036854771712\n' }), total: 900 * MB }).isCgroup).toBe(false);
  });

  test.each(['', 'x', 'max', '-1'])('%p is none', text => {
    expect(memoryLimit({ read: v2('/', { '/sys/fs/cgroup/memory.max': text }), total: 5 }).isCgroup).toBe(false);
  });
});

describe('the default number of workers', () => {
  test.each([[128, 1], [256, 1], [512, 2], [1024, 6], [4096, 8]])('in %i MB is %i', (megabytes, workers) => {
    expect(defaultWorkers(machine(megabytes)).workers).toBe(workers);
  });

  test('says what limits it', () => {
    expect(defaultWorkers(machine(512)).reason)
      .toBe('8 CPUs to run on, no cgroup CPU quota; a cgroup limit of 512 MB memory is enough for 2 of 128 MB beside master and agent');
    expect(defaultWorkers(machine(9000)).reason).toBe('8 CPUs to run on, no cgroup CPU quota');
    expect(defaultWorkers({ cpus: 8, total: 512 * MB, read: () => null }).reason).toMatch(/; 512 MB memory is enough for 2 of/);
  });

  test('leaves room for the spare workers beside them', () => {
    expect(defaultWorkers(machine(1024), { spares: 2 })).toMatchObject({ workers: 4, reason: expect.stringMatching(/for 4 of 128 MB beside 2 spare, master/) });
    expect(defaultWorkers(machine(128), { spares: 2 }).workers).toBe(1);
  });

  test('is not asked for where one is given', async () => {
    expect((await parseOptions({ baseDir, workers: 77 })).workers).toBe(77);
  });
});

describe('the budget of a heap', () => {
  const options = { workers: 3, startMode: 'process' };

  test('is a share of what the cgroup allows', () => {
    const { argument, reason } = heapBudget(options, proc(), machine(1088));
    expect(argument).toBe('--max-old-space-size=192');
    expect(reason).toBe('192 MB each, because 3 workers and the agent share a cgroup limit of 1088 MB');
    expect(heapBudget(options, proc(), machine(100)).argument).toBe('--max-old-space-size=64');
  });

  test('is shared with the spare workers', () => {
    const { argument, reason } = heapBudget({ ...options, spare: 4 }, proc(), machine(1088));
    expect(argument).toBe('--max-old-space-size=96');
    expect(reason).toBe('96 MB each, because 3 workers, 4 spare and the agent share a cgroup limit of 1088 MB');
  });

  test("is none where nothing limits memory, or Node's own limit is lower", () => {
    expect(heapBudget(options, proc(), { total: 512 * MB, read: () => null, heapLimit: 2048 * MB })).toBe(null);
    expect(heapBudget(options, proc(), machine(1088, { heapLimit: 192 * MB }))).toBe(null);
  });

  test.each([
    [['--max-old-space-size=99'], {}], [['--max_old_space_size', '99'], {}], [['--max-heap-size=9'], {}],
    [[], { NODE_OPTIONS: '--no-warnings --max-old-space-size=99' }],
  ])('is none where the user has set one: %p %p', (execArgv, env) => {
    expect(heapBudget(options, proc(execArgv, env), machine(1088))).toBe(null);
  });

  test('can be given, and refused', () => {
    expect(heapBudget({ ...options, heapBudget: '300mb' }, proc(), machine(9000)).argument).toBe('--max-old-space-size=300');
    expect(heapBudget({ ...options, heapBudget: false }, proc(), machine(1088))).toBe(null);
    expect(heapBudget({ ...options, startMode: 'worker_threads' }, proc(), machine(1088))).toBe(null);
  });

  test.each([['lots', /^options\.heapBudget must be a size from 16mb/], [1, /^options\.heapBudget must be a size/]])('%p is refused', async (given, message) => {
    await expect(parseOptions({ baseDir, workers: 1, heapBudget: given })).rejects.toMatchObject({ code: 'ERR_CLUTCH_OPTION', message: expect.stringMatching(message) });
  });
});

test('the counters of kills are those of our own cgroups, where there are any', () => {
  const files = { '/sys/fs/cgroup/a/memory.events': 'low 0\noom 1\noom_kill 2\n', '/sys/fs/cgroup/memory.events': 'oom_kill 9\n' };
  expect(oomFiles(v2('/a', files))).toEqual(['/sys/fs/cgroup/a/memory.events']);
  expect(oomFiles(v1('/m', { '/sys/fs/cgroup/memory/m/memory.oom_control': 'under_oom 0\noom_kill 0\n' })))
    .toEqual(['/sys/fs/cgroup/memory/m/memory.oom_control']);
  expect(oomFiles(() => null)).toEqual([]);
});
