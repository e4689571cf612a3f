import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boundedPareto, exponential, lognormal, seededDraw } from './draws.ts';

const COUNT = 200_000;

function drawn(one: (draw: () => number) => number): { mean: number; variation: number; min: number; max: number } {
  const draw = seededDraw(11);
  const all = Array.from({ length: COUNT }, () => one(draw));
  const mean = all.reduce((sum, value) => sum + value, 0) / COUNT;
  const variance = all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / COUNT;
  let [min, max] = [Number.POSITIVE_INFINITY, 0];
  for (const value of all) {
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  return { mean, variation: Math.sqrt(variance) / mean, min, max };
}

function near(actual: number, expected: number, ratio: number): void {
  assert.ok(Math.abs(actual / expected - 1) < ratio, `${actual} is not about ${expected}`);
}

test('a seed repeats its numbers, another one gives others', () => {
  const numbers = (seed: number): number[] => Array.from({ length: 5 }, seededDraw(seed));
  assert.deepEqual(numbers(3), numbers(3));
  assert.notDeepEqual(numbers(3), numbers(4));
  assert.ok(numbers(3).every((number) => number >= 0 && number < 1));
});

test('each distribution has the mean and the variation it was asked for', () => {
  const gaps = drawn((draw) => exponential(draw, 5));
  near(gaps.mean, 5, 0.01);
  near(gaps.variation, 1, 0.02);
  const work = drawn((draw) => lognormal(draw, 80, 1));
  near(work.mean, 80, 0.01);
  near(work.variation, 1, 0.04);
  assert.ok(work.min > 0);
});

test('a bounded Pareto keeps to its mean and its span', () => {
  const { mean, min, max } = drawn((draw) => boundedPareto(draw, 0.5, 1.3, 100));
  near(mean, 0.5, 0.02);
  assert.ok(max / min <= 100.001, `${max / min}`);
  near(max / min, 100, 0.1);
});
