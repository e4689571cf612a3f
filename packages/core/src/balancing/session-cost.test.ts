import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ClusterTerms,
  costWeights,
  MAX_COST,
  type NodeTerms,
  sessionCost,
  slownessOf,
  waitLimit,
} from './session-cost.ts';

/** Ten sessions by weight on average, with the next one; all nodes idle. */
const ALL: ClusterTerms = {
  loadWeight: 0,
  queueWeight: 0,
  speedPower: 1,
  meanSessions: 10,
  meanLoad: 0.5,
  loadPerSession: 0,
};
const NODE: NodeTerms = { weight: 1, sessions: 9, load: 0, loadSessions: 9, slowness: 1, queue: 0 };

const COSTS: readonly [why: string, node: Partial<NodeTerms>, all: Partial<ClusterTerms>, cost: number][] = [
  ['an average node has cost 1', {}, {}, 1],
  ['twice the sessions cost twice as much', { sessions: 19 }, {}, 2],
  ['half the sessions by weight cost half as much', { weight: 2 }, {}, 0.5],
  ['the queue does not count without its weight', { queue: 5 }, {}, 1],
  ['a queue of 2 adds two tenths', { queue: 2 }, { queueWeight: 0.1 }, 1.2],
  ['a node of half the speed costs 2^1.7', { slowness: 2 }, {}, 3.249],
  ['a load without weight only takes headroom', { load: 0.5 }, {}, 1.0667],
  ['the mean load with its weight costs the same', { load: 0.5 }, { loadWeight: 0.8 }, 1.0667],
  ['twice the mean load costs nearly twice as much', { load: 0.5 }, { loadWeight: 0.8, meanLoad: 0.25 }, 1.92],
  ['the load by weight counts', { load: 0.5, weight: 2 }, { loadWeight: 1 }, 0.5333],
  ['new sessions add load that no report contains', { load: 0.5, sessions: 11 }, { loadPerSession: 0.01 }, 1.3988],
  ['the headroom is for ten average sessions more', {}, { loadPerSession: 0.05 }, 1.0667],
  ['a full node keeps a finite cost', { load: 1 }, {}, 25.3781],
  ['an infinite number has the upper bound', { sessions: Number.POSITIVE_INFINITY }, {}, MAX_COST],
  ['an invalid number has the upper bound', { queue: Number.NaN }, {}, MAX_COST],
];

for (const [why, node, all, cost] of COSTS)
  test(`cost of a session: ${why}`, () => {
    assert.equal(Number(sessionCost({ ...NODE, ...node }, { ...ALL, ...all }).toFixed(4)), cost);
  });

test('the weights grow from idle to busy nodes', () => {
  const rows: readonly [meanLoad: number, meanQueue: number, weights: readonly [number, number, number]][] = [
    [0, 0, [0, 0, 0]],
    [0.1, 0, [0, 0, 0.333]],
    [0.35, 0, [0.4, 0.05, 1]],
    [0.6, 0, [0.8, 0.1, 1]],
    [1, 0, [0.8, 0.1, 1]],
    [0, 0.35, [0, 0.05, 1]],
  ];
  for (const [meanLoad, meanQueue, expected] of rows) {
    const { loadWeight, queueWeight, speedPower } = costWeights(meanLoad, meanQueue);
    const found = [loadWeight, queueWeight, speedPower].map((weight) => Number(weight.toFixed(3)));
    assert.deepEqual(found, expected, `load ${meanLoad}, queue ${meanQueue}`);
  }
});

test('the slowness of a node is its ratio to the median, and 1 while speeds do not count', () => {
  assert.deepEqual(
    [slownessOf(20, 10, 1), slownessOf(20, 10, 0), slownessOf(40, 10, 0.5), slownessOf(1_000, 10, 1)],
    [2, 1, 2, 100],
  );
});

test('a node is over the wait limit above twice the median and 10 ms', () => {
  assert.equal(waitLimit(50), 110);
});
