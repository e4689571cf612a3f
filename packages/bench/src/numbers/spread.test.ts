import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ratioSpread, spreadOf } from './spread.ts';

test('the median of an even number of rounds lies between the middle two', () => {
  assert.deepEqual(spreadOf([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 });
  assert.deepEqual(spreadOf([5, 1, 9]), { median: 5, min: 1, max: 9 });
});

test('rounds without a figure are ignored, and without any round the result is undefined', () => {
  assert.deepEqual(spreadOf([Number.NaN, 7]), { median: 7, min: 7, max: 7 });
  assert.equal(spreadOf([]), undefined);
  assert.equal(spreadOf([Number.NaN]), undefined);
});

test('ratios are computed per round', () => {
  // The machine is twice as slow in the second round, which changes neither ratio.
  assert.deepEqual(ratioSpread([20, 40], [10, 20]), { median: 2, min: 2, max: 2 });
  assert.deepEqual(ratioSpread([10, 30, 50], [10, 10]), { median: 2, min: 1, max: 3 });
});

test('a reference that is zero or absent gives no ratio', () => {
  assert.equal(ratioSpread([1], [0]), undefined);
  assert.equal(ratioSpread([1], [Number.NaN]), undefined);
});
