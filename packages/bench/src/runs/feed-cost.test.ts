import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measureFeed } from './feed-cost.ts';

test('the feed is timed for the given number of nodes', () => {
  const { nodes, snapshot, changes } = measureFeed(20);
  assert.equal(nodes, 20);
  for (const { encode, decode } of [snapshot, changes])
    for (const { min, median, max } of [encode, decode]) assert.ok(min > 0 && min <= median && median <= max);
});
