'use strict';

const { workersByCpu, cgroupQuota } = require('../lib/options/cpu_count');

const MOUNT_V2 = '30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n';
const MOUNT_V1 = [
  '33 32 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
  '34 32 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
  '35 32 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset',
].join('\n');

function reader(files) {
  return file => (Object.hasOwn(files, file) ? files[file] : null);
}

const v2 = (group, files) => reader({ '/proc/self/cgroup': `0::${group}\n`, '/proc/self/mountinfo': MOUNT_V2, ...files });
const v1 = (group, files, mounts = MOUNT_V1) => reader({
  '/proc/self/cgroup': `5:memory:/m\n4:cpu,cpuacct:${group}\n3:cpuset:/\n1:name=systemd:/x\n`, '/proc/self/mountinfo': mounts, ...files,
});
const CPU = '/sys/fs/cgroup/cpu,cpuacct';

describe('the quota of cgroup v2', () => {
  test('of our own group', () => {
    expect(cgroupQuota(v2('/', { '/sys/fs/cgroup/cpu.max': '150000 100000\n' }))).toBe(1.5);
  });

  test('is the strictest of our group and all above it', () => {
    const files = {
      '/sys/fs/cgroup/a/b/c/cpu.max': 'max 100000\n', '/sys/fs/cgroup/a/b/cpu.max': '200000 100000\n', '/sys/fs/cgroup/a/cpu.max': '300000 50000\n',
    };
    expect(cgroupQuota(v2('/a/b/c', files))).toBe(2);
  });

  test('does not count for a group beside ours', () => {
    expect(cgroupQuota(v2('/a', { '/sys/fs/cgroup/b/cpu.max': '100000 100000\n' }))).toBe(Infinity);
  });

  test('is none for "max", for nonsense and for a zero', () => {
    for (const text of ['max 100000\n', '', 'x y', '0 100000', '100000 0', '-1 100000', '100000']) {
      expect(cgroupQuota(v2('/', { '/sys/fs/cgroup/cpu.max': text }))).toBe(Infinity);
    }
  });

  test('of a group outside of our namespace starts at the mount', () => {
    expect(cgroupQuota(v2('/../../x', { '/sys/fs/cgroup/cpu.max': '400000 100000\n' }))).toBe(4);
  });
});

describe('the quota of cgroup v1', () => {
  test('of our own group', () => {
    const files = { [`${CPU}/docker/cpu.cfs_quota_us`]: '250000\n', [`${CPU}/docker/cpu.cfs_period_us`]: '100000\n' };
    expect(cgroupQuota(v1('/docker', files))).toBe(2.5);
  });

  test('of a group above us', () => {
    const files = {
      [`${CPU}/a/b/cpu.cfs_quota_us`]: '-1\n', [`${CPU}/a/b/cpu.cfs_period_us`]: '100000\n',
      [`${CPU}/a/cpu.cfs_quota_us`]: '50000\n', [`${CPU}/a/cpu.cfs_period_us`]: '50000\n',
    };
    expect(cgroupQuota(v1('/a/b', files))).toBe(1);
  });

  test('of a container that sees its own group as the mount', () => {
    const mounts = '34 32 0:30 /docker/abc /sys/fs/cgroup/cpu\\040x rw - cgroup cgroup rw,cpu\n';
    const files = { '/sys/fs/cgroup/cpu x/cpu.cfs_quota_us': '300000\n', '/sys/fs/cgroup/cpu x/cpu.cfs_period_us': '100000\n' };
    expect(cgroupQuota(v1('/docker/abc', files, mounts))).toBe(3);
  });

  test('counts beside a v2 hierarchy', () => {
    const files = {
      '/proc/self/cgroup': '4:cpu:/a\n0::/b\n', '/proc/self/mountinfo': `${MOUNT_V1}\n${MOUNT_V2}`,
      [`${CPU}/a/cpu.cfs_quota_us`]: '300000', [`${CPU}/a/cpu.cfs_period_us`]: '100000', '/sys/fs/cgroup/b/cpu.max': '400000 100000',
    };
    expect(cgroupQuota(reader(files))).toBe(3);
  });
});

describe('defaultWorkers', () => {
  test.each([
    [8, 'max 100000', 8], [8, '200000 100000', 2], [8, '150000 100000', 2], [8, '10000 100000', 1], [2, '800000 100000', 2], [0, 'max', 1],
  ])('with %p CPUs and a quota of "%s" there are %p', (cpus, quota, workers) => {
    expect(workersByCpu({ cpus, read: v2('/', { '/sys/fs/cgroup/cpu.max': quota }) }).workers).toBe(workers);
  });

  test('says how it came to its number', () => {
    expect(workersByCpu({ cpus: 8, read: v2('/', { '/sys/fs/cgroup/cpu.max': '150000 100000' }) }).reason)
      .toBe('8 CPUs to run on, a cgroup quota of 1.5 CPUs');
    expect(workersByCpu({ cpus: 8, read: () => null })).toEqual({ workers: 8, reason: '8 CPUs to run on, no cgroup CPU quota' });
  });
});
