import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measureExchanges } from './exchange-cost.ts';

test('exchanges are timed for the given number of nodes', () => {
  const { nodes, changed, joined } = measureExchanges(10);
  assert.equal(nodes, 10);
  for (const { min, median, max } of [changed, joined]) assert.ok(min > 0 && min <= median && median <= max);
});
