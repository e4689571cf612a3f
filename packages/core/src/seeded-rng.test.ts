import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from './seeded-rng.ts';

function numbers(seed: number, count: number): number[] {
  return Array.from({ length: count }, seededRng(seed));
}

test('a seed repeats its numbers, another one gives others', () => {
  assert.deepEqual(numbers(3, 5), numbers(3, 5));
  assert.notDeepEqual(numbers(3, 5), numbers(4, 5));
});

test('numbers are uniform in [0, 1), and independent of each other', () => {
  const all = numbers(11, 100_000);
  assert.ok(all.every((number) => number >= 0 && number < 1));
  const mean = all.reduce((sum, number) => sum + number, 0) / all.length;
  assert.ok(Math.abs(mean - 0.5) < 0.005, `mean ${mean}`);
  const after = all.filter((_, i) => (all[i - 1] ?? 1) < 0.1);
  const meanAfter = after.reduce((sum, number) => sum + number, 0) / after.length;
  assert.ok(Math.abs(meanAfter - 0.5) < 0.015, `mean after small numbers ${meanAfter}`);
});
