import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '@rollcall/core/testing';
import { type Deadlined, DeadlineSweep, SWEEP_MS } from './deadline-sweep.ts';

test('each expired deadline is handled once', () => {
  const clock = new ManualClock(0);
  const sweep = new DeadlineSweep(() => clock.nowMs());
  const passed: number[] = [];
  const member: Deadlined = { deadlineMs: 100, onDeadline: (nowMs) => passed.push(nowMs) };
  sweep.add(member);
  sweep.sweep();
  clock.advance(99);
  sweep.sweep();
  assert.deepEqual(passed, []);
  clock.advance(1);
  sweep.sweep();
  sweep.sweep();
  assert.deepEqual(passed, [100]);
  member.deadlineMs = 150;
  clock.advance(100);
  sweep.sweep();
  assert.deepEqual(passed, [100, 200]);
});

test('a removed member is not checked, also during a sweep', () => {
  const sweep = new DeadlineSweep(() => 10);
  const passed: string[] = [];
  const second: Deadlined = { deadlineMs: 0, onDeadline: () => passed.push('second') };
  const first: Deadlined = {
    deadlineMs: 0,
    onDeadline: () => {
      passed.push('first');
      sweep.remove(second);
    },
  };
  sweep.add(first);
  sweep.add(second);
  sweep.sweep();
  assert.deepEqual(passed, ['first']);
});

test('of many that expire together, some are handled in a later turn', async () => {
  const sweep = new DeadlineSweep(() => 10);
  let passed = 0;
  for (let i = 0; i < 100; i++) sweep.add({ deadlineMs: 0, onDeadline: () => passed++ });
  let turns = 0;
  sweep.sweep();
  for (; passed < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(turns >= 5, `${turns} turns`);
  sweep.close();
});

test('time in which the process did not run does not count', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const clock = new ManualClock(0);
  const sweep = new DeadlineSweep(() => clock.nowMs());
  const passed: number[] = [];
  sweep.add({ deadlineMs: 10_000, onDeadline: (nowMs) => passed.push(nowMs) });
  const pass = (ms: number): void => {
    clock.advance(ms);
    t.mock.timers.tick(SWEEP_MS);
  };
  sweep.start();
  pass(SWEEP_MS);
  pass(20_000 + SWEEP_MS);
  assert.deepEqual(passed, []);
  for (let ms = 2 * SWEEP_MS; ms < 10_000; ms += SWEEP_MS) pass(SWEEP_MS);
  assert.deepEqual(passed, [30_000]);
  sweep.close();
});

test('a late sweep of a busy process is no pause', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const clock = new ManualClock(0);
  const sweep = new DeadlineSweep(() => clock.nowMs());
  const passed: number[] = [];
  sweep.add({ deadlineMs: 500, onDeadline: (nowMs) => passed.push(nowMs) });
  sweep.start();
  clock.advance(600);
  t.mock.timers.tick(SWEEP_MS);
  assert.deepEqual(passed, [600]);
  sweep.close();
});
