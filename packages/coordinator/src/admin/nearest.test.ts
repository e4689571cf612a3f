import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest } from './nearest.ts';

const NAMES = ['shop-1', 'shop-2', 'demo-1', 'checkout-eu-1'];

test('the nearest names come first, at most the limit', () => {
  assert.deepEqual(nearest('shop-', NAMES, 3), ['shop-1', 'shop-2']);
  assert.deepEqual(nearest('shpo-1', NAMES, 3), ['shop-1']);
  assert.deepEqual(nearest('SHOP-2', NAMES, 1), ['shop-2']);
  assert.deepEqual(nearest('checkout', NAMES, 3), ['checkout-eu-1']);
});

test('without a near name the list is empty', () => {
  assert.deepEqual(nearest('zzzzzz', NAMES, 3), []);
  assert.deepEqual(nearest('x'.repeat(10_000), NAMES, 3), []);
  assert.deepEqual(nearest('shop-1', [], 3), []);
});
