import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyedBuckets, TokenBucket } from './token-bucket.ts';

test('a bucket gives its burst and then its rate', () => {
  const bucket = new TokenBucket({ burst: 3, perSecond: 10 }, 0);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => bucket.take(0)),
    [true, true, true, false],
  );
  assert.equal(bucket.take(99), false);
  assert.equal(bucket.take(100), true);
  assert.equal(bucket.take(100), false);
  assert.equal(bucket.available(1_000_000), 3);
});

test('tokens spent in advance are refilled first, up to the largest debt', () => {
  const bucket = new TokenBucket({ burst: 10, perSecond: 10 }, 0);
  bucket.spend(1_000, 20, 0);
  assert.equal(bucket.available(0), -20);
  assert.equal(bucket.take(2_000), false);
  assert.equal(bucket.take(2_100), true);
  bucket.spend(2, 20, 4_100);
  assert.equal(bucket.available(4_100), 8);
});

test('an instant before the last one adds nothing', () => {
  const bucket = new TokenBucket({ burst: 1, perSecond: 1 }, 1_000);
  assert.equal(bucket.take(1_000), true);
  assert.equal(bucket.take(0), false);
});

test('each key has its own bucket, and the longest unused key is replaced', () => {
  const buckets = new KeyedBuckets({ burst: 1, perSecond: 0.001 }, 2);
  assert.equal(buckets.isEmpty('a', 0), false);
  assert.equal(buckets.take('a', 0), true);
  assert.equal(buckets.isEmpty('a', 0), true);
  assert.equal(buckets.take('b', 0), true);
  assert.equal(buckets.take('a', 0), false);
  assert.equal(buckets.take('c', 0), true);
  assert.equal(buckets.isEmpty('a', 0), true);
  assert.equal(buckets.isEmpty('b', 0), false);
});

for (const { stalledMs, most } of [
  { stalledMs: 1_000, most: 30 },
  { stalledMs: 20_000, most: 220 },
  { stalledMs: 60_000, most: 620 },
  { stalledMs: 86_400_000, most: 620 },
])
  test(`after a stall of ${stalledMs} ms the bucket gives ${most}, once, and none of it later`, () => {
    const taken = (bucket: TokenBucket, nowMs: number): number => {
      let count = 0;
      while (count < 10_000 && bucket.take(nowMs)) count++;
      return count;
    };
    const options = { burst: 20, perSecond: 10 };
    const bucket = new TokenBucket(options, 0);
    bucket.catchUp(stalledMs, stalledMs);
    assert.equal(taken(bucket, stalledMs), most);
    assert.equal(taken(bucket, stalledMs + 100), 1);
    const unused = new TokenBucket(options, 0);
    unused.catchUp(stalledMs, stalledMs);
    assert.equal(taken(unused, stalledMs + 5_001), 20);
    // A stall that is noticed in parts counts the same.
    const inParts = new TokenBucket(options, 0);
    for (let i = 1; i <= 10; i++) inParts.catchUp(stalledMs / 10, stalledMs + i);
    assert.ok(Math.abs(taken(inParts, stalledMs + 10) - most) <= 1);
  });
