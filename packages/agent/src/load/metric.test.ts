import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applicationMetric, partOf } from './metric.ts';

test('a part is the share of the capacity, never below 0 or above 1', () => {
  const scale = { capacity: 100, weight: 1 };
  assert.deepEqual(
    [-5, 0, 50, 100, 1e9, Number.NaN].map((value) => partOf(scale, value)),
    [0, 0, 0.5, 1, 1, 0],
  );
});

test('the part is 0 below the threshold and linear above', () => {
  const scale = { capacity: 10, weight: 1, from: 0.8 };
  assert.deepEqual(
    [4, 8, 9, 10].map((value) => Math.round(partOf(scale, value) * 1_000) / 1_000),
    [0, 0, 0.5, 1],
  );
});

test('a soft part is half at the capacity and never full', () => {
  const scale = { capacity: 64, weight: 1, isSoft: true };
  assert.deepEqual(
    [0, 64, 192].map((value) => partOf(scale, value)),
    [0, 0.5, 0.75],
  );
});

test('invalid capacities and weights have their defaults', () => {
  for (const capacity of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5' as unknown as number])
    assert.equal(applicationMetric('m', { capacity }, () => 0).scale.capacity, 1);
  for (const weight of [-1, Number.NaN, null as unknown as number])
    assert.equal(applicationMetric('m', { weight }, () => 0).scale.weight, 1);
  assert.equal(applicationMetric('m', { weight: 0 }, () => 0).scale.weight, 0);
});
