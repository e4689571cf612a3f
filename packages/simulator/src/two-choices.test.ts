/** Compares the power of two choices with its fluid limit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALGORITHMS } from '@rollcall/core';
import { runScenario } from './cluster-run.ts';

/**
 * Mean time in the system for mean service time 1, two choices and the number of nodes → ∞.
 *
 * @see Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (1996): Σ λ^((2^i − 2) / 1), i ≥ 1, over
 *   tails s_i = λ^(2^i − 1).
 */
function fluidLimit(load: number): number {
  let sum = 0;
  for (let i = 1; i < 20; i++) sum += load ** (2 ** i - 2);
  return sum;
}

test('power of two at 0.9 on 100 nodes is within 3 % of 2.6 services', () => {
  const scenario = {
    name: 'two choices',
    nodes: [{ count: 100, speed: 1 }],
    proxies: 1,
    utilisation: 0.9,
    work: { kind: 'exponential', meanMs: 10 },
    warmupMs: 5_000,
    durationMs: 60_000,
    deadlineMs: 1_000_000,
    reportMs: 60_000,
  } as const;
  const { latencies } = runScenario(scenario, { name: 'p2c', requests: ALGORITHMS['power-of-two'] }, 1);
  const expected = fluidLimit(0.9);
  assert.ok(Math.abs(expected - 2.61) < 0.01);
  assert.ok(Math.abs(latencies.meanMs / 10 / expected - 1) < 0.03, `${latencies.meanMs / 10} against ${expected}`);
});
