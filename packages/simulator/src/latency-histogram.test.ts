import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@rollcall/core';
import { lognormal } from './chance.ts';
import { LatencyHistogram } from './latency-histogram.ts';

test('a quantile is at most 0.1 % above the latency, and the mean is exact', () => {
  for (const [count, meanMs] of [
    [1, 12],
    [7, 0.02],
    [999, 30],
    [50_000, 400],
  ] as const) {
    const draw = lognormal(meanMs, 3, seededRng(count));
    const latencies = Array.from({ length: count }, draw);
    const histogram = new LatencyHistogram();
    for (const ms of latencies) histogram.add(ms);
    latencies.sort((one, other) => one - other);
    assert.equal(histogram.count, count);
    const sum = latencies.reduce((total, ms) => total + ms, 0);
    assert.ok(Math.abs(histogram.meanMs / (sum / count) - 1) < 1e-9);
    for (const share of [0, 0.25, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = latencies[Math.max(1, Math.ceil(share * count)) - 1]!;
      const found = histogram.quantile(share);
      assert.ok(found >= exact * 0.9999 && found <= exact * 1.001, `${found} for ${exact}, ${share} of ${count}`);
    }
  }
});

test('without latencies the result is NaN; latencies from 0 to one day are valid', () => {
  const histogram = new LatencyHistogram();
  assert.ok(Number.isNaN(histogram.quantile(0.5)));
  assert.ok(Number.isNaN(histogram.meanMs));
  histogram.add(0);
  assert.ok(histogram.quantile(1) < 0.001);
  histogram.add(86_400_000);
  assert.ok(Math.abs(histogram.quantile(1) / 86_400_000 - 1) < 0.001);
});
