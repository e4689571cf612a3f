/** Compares the simulation with exact results of queueing theory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { random } from './anchors/anchors.ts';
import { runScenario } from './cluster-run.ts';
import type { Scenario, Work } from './scenario.ts';

const TOLERANCE = 0.03;

function queue(utilisation: number, work: Work, nodes = 1): Scenario {
  return {
    name: 'queue',
    nodes: [{ count: nodes, speed: 1 }],
    proxies: 1,
    utilisation,
    work,
    warmupMs: 20_000,
    durationMs: 4_000_000 / nodes,
    deadlineMs: 1_000_000,
    reportMs: 60_000,
  };
}

/** Mean latency over four seeds, milliseconds. */
function meanMs(scenario: Scenario): number {
  const means = [1, 2, 3, 4].map(
    (seed) => runScenario(scenario, { name: 'random', requests: random }, seed).latencies.meanMs,
  );
  return means.reduce((sum, value) => sum + value, 0) / means.length;
}

function isNear(value: number, expected: number): void {
  assert.ok(Math.abs(value / expected - 1) < TOLERANCE, `${value} is not within 3 % of ${expected}`);
}

test('M/M/1: mean 1 / (1 − ρ) services', () => {
  for (const load of [0.5, 0.8]) isNear(meanMs(queue(load, { kind: 'exponential', meanMs: 10 })), 10 / (1 - load));
});

test('M/D/1: mean 1 + ρ / 2 (1 − ρ) services', () => {
  for (const load of [0.5, 0.8])
    isNear(meanMs(queue(load, { kind: 'constant', meanMs: 10 })), 10 * (1 + load / (2 * (1 - load))));
});

test('M/G/1, lognormal: Pollaczek and Khinchine', () => {
  const load = 0.6;
  const variation = 1;
  const waitMs = (10 * load * (1 + variation ** 2)) / (2 * (1 - load));
  isNear(meanMs(queue(load, { kind: 'lognormal', meanMs: 10, variation })), 10 + waitMs);
});
