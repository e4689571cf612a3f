import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LatencyHistogram } from './latency-histogram.ts';

test('a percentile is at most 1/64 above its sample', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { minLength: 1, maxLength: 300 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (samples, ratio) => {
        const histogram = new LatencyHistogram();
        for (const sample of samples) histogram.add(sample);
        const sorted = [...samples].sort((one, other) => one - other);
        const exact = sorted[Math.max(1, Math.ceil(ratio * sorted.length)) - 1]!;
        const found = histogram.percentileUs(ratio);
        assert.ok(found >= exact && found <= exact * (1 + 1 / 64), `${found} for ${exact}`);
      },
    ),
  );
});

test('merged histograms equal the histogram of all samples', () => {
  const [all, one, other] = [new LatencyHistogram(), new LatencyHistogram(), new LatencyHistogram()];
  for (let i = 0; i < 1_000; i++) {
    all.add(i * 37);
    (i % 3 === 0 ? one : other).add(i * 37);
  }
  const merged = new LatencyHistogram();
  merged.merge(JSON.parse(JSON.stringify(one.record())));
  merged.merge(other.record());
  assert.deepEqual(merged.record(), all.record());
  assert.equal(merged.total, 1_000);
  for (const ratio of [0, 0.5, 0.99, 1]) assert.equal(merged.percentileUs(ratio), all.percentileUs(ratio));
});

test('the maximum is exact, and NaN without samples', () => {
  const histogram = new LatencyHistogram();
  assert.ok(Number.isNaN(histogram.percentileUs(0.5)));
  histogram.add(1_000_003.5);
  assert.equal(histogram.maxUs, 1_000_003.5);
  assert.equal(histogram.percentileUs(1), 1_000_003.5);
});

test('values out of range count as the nearest valid value', () => {
  const histogram = new LatencyHistogram();
  histogram.add(-5);
  histogram.add(1e12);
  assert.equal(histogram.total, 2);
  assert.equal(histogram.percentileUs(0.5), 0);
});
