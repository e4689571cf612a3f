import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowedResources, cgroupLimits } from './cgroup.ts';

const V2_MOUNT = '30 24 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';

function files(content: Record<string, string>) {
  return (path: string) => content[path];
}

test('version 2: the smallest limit between the process and the root counts', () => {
  const read = files({
    '/proc/self/mountinfo': V2_MOUNT,
    '/proc/self/cgroup': '0::/pod/app\n',
    '/sys/fs/cgroup/pod/app/cpu.max': 'max 100000\n',
    '/sys/fs/cgroup/pod/app/memory.max': '536870912\n',
    '/sys/fs/cgroup/pod/cpu.max': '150000 100000\n',
    '/sys/fs/cgroup/pod/memory.max': 'max\n',
  });
  assert.deepEqual(cgroupLimits(read), { cores: 1.5, memoryBytes: 536_870_912 });
});

test('version 2 in a container: the mount starts at the own group', () => {
  const read = files({
    '/proc/self/mountinfo': '30 24 0:27 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n',
    '/proc/self/cgroup': '0::/docker/abc\n',
    '/sys/fs/cgroup/cpu.max': '50000 100000\n',
  });
  assert.deepEqual(cgroupLimits(read), { cores: 0.5 });
});

test('version 1: quota by period, and the largest number means no limit', () => {
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
  });
  assert.deepEqual(cgroupLimits(read), { cores: 2, memoryBytes: 1_073_741_824 });
});

test('nothing to read, or nonsense, is no limit', () => {
  assert.deepEqual(cgroupLimits(files({})), {});
  const odd = files({
    '/proc/self/mountinfo': V2_MOUNT,
    '/proc/self/cgroup': '0::/../../etc\nrubbish\n',
    '/sys/fs/cgroup/cpu.max': '0 0\n',
    '/sys/fs/cgroup/memory.max': '-5\n',
  });
  assert.deepEqual(cgroupLimits(odd), {});
});

test('the machine bounds what a control group allows', () => {
  const { cores, memoryBytes } = allowedResources(files({}));
  assert.ok(cores >= 1 && Number.isFinite(memoryBytes));
});
