import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  cpuTimeOf,
  memoryField,
  type ProcessStat,
  parseCpuList,
  parseStat,
  programTicks,
  treeOf,
} from './proc-text.ts';

const STAT =
  '4242 (a (odd) name) S 17 4242 4242 0 -1 4194304 900 12 0 0 250 50 30 20 20 0 11 0 987654 1000000 2000 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 2 0 0 0 0 0 0 0 0 0 0 0 0 0';

function stat(pid: number, parentPid: number, more: Partial<ProcessStat> = {}): ProcessStat {
  return {
    pid,
    parentPid,
    userTicks: 0,
    systemTicks: 0,
    endedUserTicks: 0,
    endedSystemTicks: 0,
    startTicks: 0,
    ...more,
  };
}

test('fields are read after the last parenthesis, because a name may contain parentheses', () => {
  assert.deepEqual(parseStat(STAT), {
    pid: 4242,
    parentPid: 17,
    userTicks: 250,
    systemTicks: 50,
    endedUserTicks: 30,
    endedSystemTicks: 20,
    startTicks: 987654,
  });
});

test('an invalid stat is undefined', () => {
  for (const text of ['', 'no process', '12 (cut) S 1']) assert.equal(parseStat(text), undefined);
});

test('a tree has the root and its descendants only', () => {
  const processes = [stat(5, 3), stat(3, 2), stat(2, 1), stat(4, 1), stat(1, 0)];
  assert.deepEqual(
    treeOf(2, processes).map(({ pid }) => pid),
    [2, 3, 5],
  );
  assert.deepEqual(treeOf(99, processes), []);
});

test('the time of a child that exits moves to its parent and stays in the sum', () => {
  const before = [stat(1, 0, { userTicks: 100 }), stat(2, 1, { userTicks: 40, systemTicks: 10 })];
  const after = [stat(1, 0, { userTicks: 100, endedUserTicks: 40, endedSystemTicks: 10 })];
  assert.deepEqual(cpuTimeOf(before, 100), { user: 1.4, system: 0.1 });
  assert.deepEqual(cpuTimeOf(after, 100), cpuTimeOf(before, 100));
});

test('memory is in octets', () => {
  const text = 'Rss:                2048 kB\nPss:                1000 kB\nPss_Anon:            500 kB\n';
  assert.equal(memoryField(text, 'Pss'), 1_024_000);
  assert.equal(memoryField(text, 'Swap'), undefined);
});

test('CPU lists may have gaps', () => {
  assert.deepEqual(parseCpuList('0-2,5\n'), [0, 1, 2, 5]);
  assert.deepEqual(parseCpuList('3'), [3]);
  assert.deepEqual(parseCpuList(''), []);
});

test('the time of programs excludes idle time and interrupts', () => {
  const text = 'cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 100 10 50 900 5 7 8 3 0 0\ncpu10 1 0 1 0 0 0 0 0 0 0\n';
  assert.equal(programTicks(text, [0]), 163);
  assert.equal(programTicks(text, [0, 10]), 165);
  assert.ok(Number.isNaN(programTicks(text, [1])));
});
