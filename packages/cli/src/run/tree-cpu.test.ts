import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProcessEntry } from './process-table.ts';
import { TreeCpu } from './tree-cpu.ts';

function entry(pid: number, parent: number, ownCpuMs: number, endedCpuMs = 0, startTicks = pid): ProcessEntry {
  return { pid, parent, session: 1, ownCpuMs, endedCpuMs, startTicks, threads: 1 };
}

test('running processes are counted', () => {
  const cpu = new TreeCpu();
  assert.equal(cpu.take([entry(1, 0, 100), entry(2, 1, 50)]), 150);
  assert.equal(cpu.take([entry(1, 0, 110), entry(2, 1, 70)]), 180);
  assert.equal(cpu.take([entry(1, 0, 110), entry(2, 1, 70)]), 180);
});

test('CPU time of an ended child is counted once, including its use after the last sample', () => {
  const cpu = new TreeCpu();
  cpu.take([entry(1, 0, 100), entry(2, 1, 50)]);
  assert.equal(cpu.take([entry(1, 0, 100, 90)]), 190);
});

test('a child that started and ended between two samples is counted', () => {
  const cpu = new TreeCpu();
  cpu.take([entry(1, 0, 100)]);
  assert.equal(cpu.take([entry(1, 0, 100, 40)]), 140);
});

test('CPU time of an ended branch is counted in its parent', () => {
  const cpu = new TreeCpu();
  cpu.take([entry(1, 0, 0), entry(2, 1, 10), entry(3, 2, 20)]);
  // The middle process had waited for its child, and then ended itself.
  assert.equal(cpu.take([entry(1, 0, 0, 35)]), 35);
});

test('an end that the parent does not wait for loses nothing that was counted', () => {
  const cpu = new TreeCpu();
  cpu.take([entry(1, 0, 0), entry(2, 1, 500)]);
  assert.equal(cpu.take([entry(1, 0, 5)]), 505);
  assert.equal(cpu.take([entry(1, 0, 5), entry(3, 1, 7)]), 512);
});

test('a child that was not waited for does not hide the CPU time of another child', () => {
  const cpu = new TreeCpu();
  cpu.take([entry(1, 0, 0), entry(2, 1, 0), entry(3, 2, 300), entry(4, 1, 0)]);
  // 2 did not wait for 3; 4 has ended with a child that was never listed.
  assert.equal(cpu.take([entry(1, 0, 0, 80), entry(2, 1, 0)]), 380);
});

test('a reused pid is another process', () => {
  const cpu = new TreeCpu();
  cpu.take([entry(1, 0, 0), entry(2, 1, 500)]);
  assert.equal(cpu.take([entry(1, 0, 0, 500), entry(2, 1, 30, 0, 99)]), 530);
});

test('a tree that is gone and a cycle in the table cause no error', () => {
  const cpu = new TreeCpu();
  cpu.take([entry(1, 2, 10), entry(2, 1, 20)]);
  assert.equal(cpu.take([]), 30);
  assert.equal(cpu.take([]), 30);
});
