import assert from 'node:assert/strict';
import { test } from 'node:test';
import { figure, mebibytes, multiple, multipleWithSpread, roughly } from './figures.ts';

test('a missing figure is a dash', () => {
  for (const text of [multiple(undefined), multiple(Number.NaN), figure(undefined, 1), mebibytes(Number.NaN)])
    assert.equal(text, '–');
  assert.equal(multipleWithSpread(undefined), '–');
});

test('multiples have two decimals below ten, one above', () => {
  assert.equal(multiple(1.234), '1.23');
  assert.equal(multiple(12.34), '12.3');
  assert.equal(multipleWithSpread({ median: 1.18, min: 1.15, max: 1.22 }), '1.18 (1.15–1.22)');
  assert.equal(multipleWithSpread({ median: 1, min: 1, max: 1 }), '1.00');
});

test('durations are rounded', () => {
  assert.equal(roughly(41_000), '50 seconds');
  assert.equal(roughly(405_000), '7 minutes');
});
