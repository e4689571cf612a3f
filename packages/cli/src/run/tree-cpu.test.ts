import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProcessEntry } from './process-table.ts';
import { TreeCpu } from './tree-cpu.ts';

function entry(pid: number, parent: number, ownCpuMs: number, endedCpuMs = 0, startTicks = pid): ProcessEntry {
  return { pid, parent, session: 1, ownCpuMs, endedCpuMs, startTicks, threads: 1 };
}

test('living processes are counted as they run', () => {
  const cpu = new TreeCpu();
  assert.equal(cpu.take([entry(1, 0, 100), entry(2, 1, 50)]), 150);
  assert.equal(cpu.take([entry(1, 0, 110), entry(2, 1, 70)]), 180);
  assert.equal(cpu.take([entry(1, 0, 110), entry(2, 1, 70)]), 180);
});

test('what a child used stays counted when it ends, once, with what it used after the last look', () => {
  const cpu = new TreeCpu();
  cpu.take([entry(1, 0, 100), entry(2, 1, 50)]);
  assert.equal(cpu.take([entry(1, 0, 100, 90)]), 190);
});

test('a child that began and ended between two looks is counted', () => {
  const cpu = new TreeCpu();
  cpu.take([entry(1, 0, 100)]);
  assert.equal(cpu.take([entry(1, 0, 100, 40)]), 140);
});

test('a whole branch that ends is in the account of the one above it', () => {
  const cpu = new TreeCpu();
  cpu.take([entry(1, 0, 0), entry(2, 1, 10), entry(3, 2, 20)]);
  // The middle one had taken note of its child's end, and then ended itself.
  assert.equal(cpu.take([entry(1, 0, 0, 35)]), 35);
});

test('an end that nobody takes note of loses nothing that was counted', () => {
  const cpu = new TreeCpu();
  cpu.take([entry(1, 0, 0), entry(2, 1, 500)]);
  assert.equal(cpu.take([entry(1, 0, 5)]), 505);
  assert.equal(cpu.take([entry(1, 0, 5), entry(3, 1, 7)]), 512);
});

test('one child that ended without note does not hide what another one used', () => {
  const cpu = new TreeCpu();
  cpu.take([entry(1, 0, 0), entry(2, 1, 0), entry(3, 2, 300), entry(4, 1, 0)]);
  // 3 is lost to 2; 4 has ended with a child of its own that was never seen.
  assert.equal(cpu.take([entry(1, 0, 0, 80), entry(2, 1, 0)]), 380);
});

test('a pid that is used again is another process', () => {
  const cpu = new TreeCpu();
  cpu.take([entry(1, 0, 0), entry(2, 1, 500)]);
  assert.equal(cpu.take([entry(1, 0, 0, 500), entry(2, 1, 30, 0, 99)]), 530);
});

test('a tree that is gone and a circle in the table end nothing', () => {
  const cpu = new TreeCpu();
  cpu.take([entry(1, 2, 10), entry(2, 1, 20)]);
  assert.equal(cpu.take([]), 30);
  assert.equal(cpu.take([]), 30);
});
