import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertTransition, isInFeed, isTransition, mostRestrictive } from './node-status.ts';

void test('a gone node becomes up only by registering, and no present node falls back to joining', () => {
  assert.ok(isTransition('gone', 'joining'));
  assert.ok(isTransition('suspect', 'up'));
  assert.ok(!isTransition('gone', 'suspect'));
  assert.ok(!isTransition('up', 'joining'));
  assert.ok(!isTransition('suspect', 'joining'));
  assert.ok(!isTransition('joining', 'suspect'));
});

void test('a change that is not in the table is an internal error that names both states', () => {
  assert.doesNotThrow(() => assertTransition('joining', 'up'));
  assert.throws(() => assertTransition('up', 'joining'), /cannot go from up to joining/);
});

void test('joining and gone nodes are not in the feed', () => {
  assert.deepEqual((['joining', 'up', 'suspect', 'down', 'gone'] as const).map(isInFeed), [
    false,
    true,
    true,
    true,
    false,
  ]);
});

void test('the more restrictive of two statuses counts, in either order', () => {
  assert.equal(mostRestrictive('enabled', 'draining'), 'draining');
  assert.equal(mostRestrictive('stopped', 'draining'), 'stopped');
  assert.equal(mostRestrictive('enabled', 'enabled'), 'enabled');
});
