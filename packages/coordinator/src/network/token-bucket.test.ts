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

test('an instant before the last one adds nothing', () => {
  const bucket = new TokenBucket({ burst: 1, perSecond: 1 }, 1_000);
  assert.equal(bucket.take(1_000), true);
  assert.equal(bucket.take(0), false);
});

test('keys have buckets of their own, and the longest unused key gives way', () => {
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
