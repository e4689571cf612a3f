import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LeastTree } from './least-tree.ts';

void test('the least is at hand after any sequence of changes', () => {
  const change = fc.tuple(fc.nat(36), fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(0, 1, 2)));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 37 }), fc.array(change, { maxLength: 200 }), (length, changes) => {
      const tree = new LeastTree();
      tree.reset(length);
      const keys = new Array<number>(length).fill(Number.POSITIVE_INFINITY);
      for (const [place, key] of changes) {
        keys[place % length] = key;
        tree.set(place % length, key);
        assert.ok(tree.key(place % length) === key);
        assert.ok(keys[tree.least] === Math.min(...keys));
      }
    }),
  );
});

void test('of equal keys one that exists is the least, never a place beyond the end', () => {
  const tree = new LeastTree();
  for (const length of [1, 2, 3, 5, 9]) {
    tree.reset(length);
    assert.ok(tree.least < length);
    for (let i = 0; i < length; i++) tree.set(i, 1);
    assert.ok(tree.least < length);
  }
});
