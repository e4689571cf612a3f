import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBalancerName } from '@rollcall/protocol';
import { NodeIndex } from './node-index.ts';

void test('an empty index has no node in any count', () => {
  const index = new NodeIndex();
  assert.equal(index.present, 0);
  assert.equal(index.quotaOf('join'), 0);
  assert.equal(index.goneOf('join').size, 0);
  assert.equal(index.inBalancer(parseBalancerName('shop')!).size, 0);
  assert.equal(index.count('up'), 0);
});

void test('numbers are given once, from 0', () => {
  const index = new NodeIndex();
  assert.deepEqual([index.nextIndex(), index.nextIndex(), index.nextIndex()], [0, 1, 2]);
});
