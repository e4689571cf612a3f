import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StallClock, TICK_MS } from './stall-clock.ts';

test('a stall counts before the late tick has run, once, and with its full length', () => {
  const stalls = new StallClock();
  assert.equal(stalls.totalMs(90_000), 0, 'nothing is known before the first tick');
  stalls.tick(100_000);
  for (const [atMs, totalMs] of [
    [100_000 + TICK_MS, 0],
    [100_000 + TICK_MS + 499, 0],
    [100_000 + TICK_MS + 500, 500],
    [120_000, 20_000 - TICK_MS],
  ] as const)
    assert.equal(stalls.totalMs(atMs), totalMs);
  assert.equal(stalls.tick(120_010), 20_010 - TICK_MS);
  assert.equal(stalls.totalMs(120_010), 20_010 - TICK_MS);
  assert.equal(stalls.tick(120_010 + TICK_MS), 0);
  assert.equal(stalls.totalMs(120_010 + 2 * TICK_MS), 20_010 - TICK_MS);
  stalls.tick(130_000);
  assert.equal(stalls.totalMs(130_000), 20_010 - TICK_MS + 9_990 - 2 * TICK_MS);
});
