import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertTransition, isInFeed, isTransition, mostRestrictive } from './node-status.ts';

void test('nobody becomes up again from gone without registering, and nobody falls back to joining while present', () => {
  assert.ok(isTransition('gone', 'joining'));
  assert.ok(isTransition('suspect', 'up'));
  assert.ok(!isTransition('gone', 'suspect'));
  assert.ok(!isTransition('up', 'joining'));
  assert.ok(!isTransition('suspect', 'joining'));
  assert.ok(!isTransition('joining', 'suspect'));
});

void test('a change that is none of the table is our bug and says so', () => {
  assert.doesNotThrow(() => assertTransition('joining', 'up'));
  assert.throws(() => assertTransition('up', 'joining'), /cannot go from up to joining/);
});

void test('joining and gone nodes are not in the feed', () => {
  assert.deepEqual((['joining', 'up', 'suspect', 'orphaned', 'gone'] as const).map(isInFeed), [
    false,
    true,
    true,
    true,
    false,
  ]);
});

void test('the most restrictive of two wishes counts, from either side', () => {
  assert.equal(mostRestrictive('enabled', 'draining'), 'draining');
  assert.equal(mostRestrictive('stopped', 'draining'), 'stopped');
  assert.equal(mostRestrictive('enabled', 'enabled'), 'enabled');
});
