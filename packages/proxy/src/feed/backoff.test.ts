import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from './backoff.ts';

void test('the wait is jittered between 100 ms and a limit that doubles to 2 s', () => {
  for (const [attempt, limitMs] of [
    [0, 200],
    [1, 400],
    [2, 800],
    [3, 1_600],
    [4, 2_000],
    [1_000, 2_000],
  ] as const) {
    assert.equal(
      backoffMs(attempt, () => 0),
      100,
    );
    assert.ok(Math.abs(backoffMs(attempt, () => 0.999_999) - limitMs) < 1);
  }
});
