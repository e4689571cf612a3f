import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOver, remainingMs, shiftedByStall } from './lease.ts';

void test('a renewed lease lives one duration, not two', () => {
  const lease = { renewedAtMs: 1_000, durationMs: 500 };
  assert.equal(remainingMs(lease, 1_000), 500);
  assert.equal(remainingMs(lease, 1_400), 100);
  assert.equal(remainingMs({ ...lease, renewedAtMs: 1_400 }, 1_900), 0);
});

void test('equality still counts as live', () => {
  const lease = { renewedAtMs: 1_000, durationMs: 500 };
  assert.equal(isOver(lease, 1_500), false);
  assert.equal(isOver(lease, 1_501), true);
  assert.equal(isOver({ renewedAtMs: 0, durationMs: Number.POSITIVE_INFINITY }, 1e15), false);
});

void test('a stall never moves a renewal into the future', () => {
  assert.equal(shiftedByStall(1_000, 300, 2_000), 1_300);
  assert.equal(shiftedByStall(1_900, 300, 2_000), 2_000);
});
