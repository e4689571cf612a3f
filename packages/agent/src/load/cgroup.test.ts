import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownCgroup } from './cgroup.ts';

const V2_MOUNT = '30 24 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';

function files(content: Record<string, string>) {
  return (path: string) => content[path];
}

/** Usable cores and memory of the group, and their use. */
function limits(read: (path: string) => string | undefined) {
  const { cpuQuota, memoryLimit } = ownCgroup(read);
  return {
    ...(cpuQuota && { cores: cpuQuota.cores, usedMs: cpuQuota.usedMs() }),
    ...(memoryLimit && { memoryBytes: memoryLimit.bytes, usedBytes: memoryLimit.usedBytes() }),
  };
}

test('version 2: the smallest limit between the process and the root applies', () => {
  const read = files({
    '/proc/self/mountinfo': V2_MOUNT,
    '/proc/self/cgroup': '0::/pod/app\n',
    '/sys/fs/cgroup/pod/app/cpu.max': 'max 100000\n',
    '/sys/fs/cgroup/pod/app/memory.max': '536870912\n',
    '/sys/fs/cgroup/pod/cpu.max': '150000 100000\n',
    '/sys/fs/cgroup/pod/memory.max': 'max\n',
    '/sys/fs/cgroup/pod/cpu.stat': 'usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n',
    '/sys/fs/cgroup/pod/app/memory.current': '400000000\n',
    '/sys/fs/cgroup/pod/app/memory.stat': 'anon 1\ninactive_file 100000000\nactive_file 5\n',
  });
  assert.deepEqual(limits(read), { cores: 1.5, usedMs: 2_500, memoryBytes: 536_870_912, usedBytes: 300_000_000 });
});

test('version 2 in a container: the root of the mount is the own group', () => {
  const read = files({
    '/proc/self/mountinfo': '30 24 0:27 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n',
    '/proc/self/cgroup': '0::/docker/abc\n',
    '/sys/fs/cgroup/cpu.max': '50000 100000\n',
  });
  assert.deepEqual(limits(read), { cores: 0.5, usedMs: undefined });
});

test('version 1: quota / period, and the largest number is no limit', () => {
  const read = files({
    '/proc/self/mountinfo': [
      '31 24 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct',
      '32 24 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
    ].join('\n'),
    '/proc/self/cgroup': '4:memory:/a\n2:cpu,cpuacct:/a\n',
    '/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us': '200000\n',
    '/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us': '100000\n',
    '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '-1\n',
    '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
    '/sys/fs/cgroup/memory/a/memory.limit_in_bytes': '1073741824\n',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    '/sys/fs/cgroup/cpu,cpuacct/a/cpuacct.usage': '7000000000\n',
    '/sys/fs/cgroup/memory/a/memory.usage_in_bytes': '5000\n',
    '/sys/fs/cgroup/memory/a/memory.stat': 'cache 9\ninactive_file 1\ntotal_inactive_file 9000\n',
  });
  assert.deepEqual(limits(read), { cores: 2, usedMs: 7_000, memoryBytes: 1_073_741_824, usedBytes: 0 });
});

test('missing or invalid files are no limit', () => {
  assert.deepEqual(limits(files({})), {});
  const odd = files({
    '/proc/self/mountinfo': V2_MOUNT,
    '/proc/self/cgroup': '0::/../../etc\nrubbish\n',
    '/sys/fs/cgroup/cpu.max': '0 0\n',
    '/sys/fs/cgroup/memory.max': '-5\n',
  });
  assert.deepEqual(limits(odd), {});
});

test('version 1: CPU time may be counted in another tree than the quota', () => {
  const read = files({
    '/proc/self/mountinfo': [
      '31 24 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu',
      '32 24 0:29 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct',
    ].join('\n'),
    '/proc/self/cgroup': '2:cpuacct:/a\n1:cpu:/a\n',
    '/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us': '50000\n',
    '/sys/fs/cgroup/cpu/a/cpu.cfs_period_us': '100000\n',
    '/sys/fs/cgroup/cpuacct/a/cpuacct.usage': '3000000\n',
  });
  assert.deepEqual(limits(read), { cores: 0.5, usedMs: 3 });
});

test('the limits of a control group are at most those of the machine', () => {
  const { cores, memoryBytes } = ownCgroup(files({}));
  assert.ok(cores >= 1 && Number.isFinite(memoryBytes));
});
