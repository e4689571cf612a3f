import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jitteredBackoffMs } from './backoff.ts';

const LIMITS = { leastMs: 50, firstMs: 100, maxMs: 350 };

test('a delay is uniform between its lower bound and an upper bound that doubles up to the limit', () => {
  const delays = (random: number): number[] =>
    [0, 1, 2, 1e9].map((attempt) => jitteredBackoffMs(attempt, LIMITS, () => random));
  assert.deepEqual(delays(1), [100, 200, 350, 350]);
  assert.deepEqual(delays(0), [50, 50, 50, 50]);
  assert.deepEqual(delays(0.5), [75, 125, 200, 200]);
});

test('the lower bound is 0 by default, and an attempt that is not a count is the first', () => {
  for (const odd of [-1, 0.5, Number.NaN]) {
    assert.equal(
      jitteredBackoffMs(odd, { firstMs: 100, maxMs: 350 }, () => 1),
      100,
    );
    assert.equal(
      jitteredBackoffMs(odd, { firstMs: 100, maxMs: 350 }, () => 0),
      0,
    );
  }
});
