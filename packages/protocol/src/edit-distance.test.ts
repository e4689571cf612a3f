import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editDistance } from './edit-distance.ts';

test('the distance counts inserted, deleted and replaced characters, ignoring case', () => {
  assert.equal(editDistance('kitten', 'sitting', 10), 3);
  assert.equal(editDistance('Proxy', 'pRoxy', 10), 0);
  assert.equal(editDistance('', 'abc', 10), 3);
  assert.equal(editDistance('abc', '', 10), 3);
});

test('the distance exceeds the bound when the lengths differ by more', () => {
  assert.ok(editDistance('ab', 'abcdef', 2) > 2);
  assert.ok(editDistance('abcdef', 'ab', 2.5) > 2.5);
});
