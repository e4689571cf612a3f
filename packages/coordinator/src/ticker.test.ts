import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from '@rollcall/core';
import { Cluster } from './cluster.ts';
import { TICK_MS } from './stall-clock.ts';
import { ManualClocks } from './testing/manual-clocks.ts';
import { Ticker } from './ticker.ts';

test('a timely tick applies a tick, a late tick extends all deadlines first', async (t) => {
  const clocks = new ManualClocks();
  const registry = new Registry({ startedAtMs: clocks.nowMs(), learningMs: 1_000 });
  const stalls: number[] = [];
  const ticker = new Ticker(new Cluster(registry, clocks), (stalledMs) => stalls.push(stalledMs));
  t.after(() => ticker.close());
  clocks.advance(TICK_MS);
  ticker.pass();
  assert.equal(registry.snapshot(clocks.nowMs()).learningMs, 800);
  clocks.advance(10_000);
  ticker.pass();
  assert.deepEqual(stalls, [9_800]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(registry.snapshot(clocks.nowMs()).learningMs, 600);
});
