import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BACKOFF_MAX_MS, backoffMs } from './backoff.ts';

test('a delay is uniform between zero and its bound, which doubles up to 10 s', () => {
  const bounds = Array.from({ length: 9 }, (_, attempt) => backoffMs(attempt, () => 1));
  assert.deepEqual(bounds, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
  assert.equal(
    backoffMs(3, () => 0),
    0,
  );
  assert.equal(
    backoffMs(3, () => 0.25),
    500,
  );
});

test('an invalid attempt counts as the first, and a huge one has the largest bound', () => {
  for (const odd of [-1, 0.5, Number.NaN])
    assert.equal(
      backoffMs(odd, () => 1),
      250,
    );
  assert.equal(
    backoffMs(1e9, () => 1),
    BACKOFF_MAX_MS,
  );
});
