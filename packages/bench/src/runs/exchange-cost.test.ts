import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measureExchanges } from './exchange-cost.ts';

test('exchanges are timed for as many nodes as are asked for', () => {
  const { nodes, changed, joined } = measureExchanges(10);
  assert.equal(nodes, 10);
  for (const { min, median, max } of [changed, joined]) assert.ok(min > 0 && min <= median && median <= max);
});
