import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clipped, printableText, widthOf, wrapped } from './text-width.ts';

test('East Asian characters have two columns, and marks none', () => {
  assert.equal(widthOf('shop-1'), 6);
  assert.equal(widthOf('更新'), 4);
  assert.equal(widthOf('e\u0301'), 1);
});

test('a clipped text never has more columns than given', () => {
  assert.equal(clipped('shop-1', 6), 'shop-1');
  assert.equal(clipped('shop-12', 6), 'shop-…');
  assert.equal(clipped('更新更新', 5), '更新…');
  assert.equal(clipped('更新更新', 4), '更…');
  assert.equal(clipped('abc', 1), '…');
  assert.equal(clipped('abc', 0), '');
});

test('a text is wrapped between words, and longer words are cut', () => {
  assert.deepEqual(wrapped('by ann: kernel update', 10), ['by ann:', 'kernel', 'update']);
  assert.deepEqual(wrapped('short', 10), ['short']);
  assert.deepEqual(wrapped('a verylongword b', 6), ['a', 'veryl…', 'b']);
});

test('control characters and changes of direction are replaced', () => {
  assert.equal(printableText('a\u001b[2Jb\u202ec\nd'), 'a [2Jb c d');
});
