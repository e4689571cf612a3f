import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { cpuWaitMs } from './cpu-wait.ts';

void test('the time that a process has waited for a CPU is positive and never falls', (t) => {
  if (!existsSync('/proc/self/schedstat')) {
    t.skip('the system has no /proc/PID/schedstat');
    return;
  }
  const first = cpuWaitMs(process.pid)!;
  assert.ok(first >= 0 && first < 3_600_000, String(first));
  assert.ok(cpuWaitMs(process.pid)! >= first);
});

void test('a process that has ended has no wait time', () => {
  assert.equal(cpuWaitMs(2 ** 22 + 1), undefined);
});
