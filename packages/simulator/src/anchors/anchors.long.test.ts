/** Compares published rules with an independent model of the same cluster: 60 nodes 1:2:4, antagonists, 4 proxies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALGORITHMS } from '@rollcall/core';
import { runScenario } from '../cluster-run.ts';
import type { Rule } from '../contender.ts';
import type { Scenario } from '../scenario.ts';
import { c3, joinShortestQueue, leastBacklog, leastTime, peakEwma } from './anchors.ts';
import { heartbeat } from './heartbeat.ts';
import { prequal } from './prequal.ts';

const SCENARIO: Scenario = {
  name: 'antagonists',
  nodes: [
    { count: 20, speed: 1 },
    { count: 20, speed: 2 },
    { count: 20, speed: 4 },
  ],
  proxies: 4,
  utilisation: 0.9,
  work: { kind: 'lognormal', meanMs: 10, variation: 1 },
  antagonists: { share: 0.2, factor: 0.4, stayMs: 5_000 },
  warmupMs: 10_000,
  durationMs: 20_000,
  deadlineMs: 5_000,
  reportMs: 1_000,
  ejects: false,
};

const ROWS: readonly (readonly [name: string, create: Rule, p99Ms: number, utilisation?: number])[] = [
  ['least connections', ALGORITHMS['least-connections'], 92.1],
  ['C3', c3, 35.8],
  ['Prequal, hot from 0.84', prequal(0.84), 58.9],
  ['leasttime', leastTime, 49.8],
  ['oracle: fewest requests in flight', joinShortestQueue, 43.9],
  ['oracle: least backlog', leastBacklog, 27.3],
  ['heartbeat', heartbeat(64), 4_230, 0.7],
  ['heartbeat', heartbeat(64), 5_000],
  // At 0.9 this rule has 343 ms, and the model 424 ms.
  ['peak EWMA', peakEwma, 100, 0.7],
];

for (const [name, create, expected, utilisation = 0.9] of ROWS) {
  test(`${name} at ${utilisation}: p99 within 10 % of ${expected} ms`, () => {
    const contender = { name, requests: create };
    const p99s = [1, 2].map((seed) =>
      runScenario({ ...SCENARIO, utilisation }, contender, seed).latencies.quantile(0.99),
    );
    const p99 = (p99s[0]! + p99s[1]!) / 2;
    assert.ok(Math.abs(p99 / expected - 1) <= 0.1, `${p99.toFixed(1)} ms`);
  });
}

/**
 * Requests at overloaded nodes end at the deadline. The model counts failed requests as a share of the requests that ended
 * within the run. Its medians (16 ms, 465 ms and 3.15 s) are not compared: half of the requests are fast and half wait for
 * seconds. The seed determines which half contains the median.
 */
const ROUND_ROBIN: readonly (readonly [utilisation: number, errorShare: number])[] = [
  [0.7, 0.187],
  [0.9, 0.25],
  [1.1, 0.327],
];

for (const [utilisation, expected] of ROUND_ROBIN) {
  test(`round robin at ${utilisation}: p99 at the deadline, failed requests within 10 % of ${100 * expected} %`, () => {
    const contender = { name: 'round-robin', requests: ALGORITHMS['round-robin'] };
    const results = [1, 2].map((seed) => runScenario({ ...SCENARIO, utilisation }, contender, seed));
    for (const { latencies } of results) assert.ok(latencies.quantile(0.99) > 4_950);
    const share = (results[0]!.errorShareOfEnded + results[1]!.errorShareOfEnded) / 2;
    assert.ok(Math.abs(share / expected - 1) <= 0.1, `${share.toFixed(3)}`);
  });
}

test('equal seeds give equal runs, different seeds different runs', () => {
  const short = { ...SCENARIO, warmupMs: 500, durationMs: 1_000 };
  const run = (seed: number): number => runScenario(short, { name: 'c3', requests: c3 }, seed).latencies.meanMs;
  assert.equal(run(7), run(7));
  assert.notEqual(run(7), run(8));
});
