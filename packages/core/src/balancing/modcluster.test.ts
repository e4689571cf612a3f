import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeId } from '@rollcall/protocol';
import { candidate, type TestCandidate } from '../testing/algorithm-contract.ts';
import type { Algorithm } from './algorithm.ts';
import { loadFactor, modcluster } from './modcluster.ts';

const NONE: ReadonlySet<NodeId> = new Set();

/** Nodes by the load factor they would have sent. */
function nodesOf(factors: readonly (number | undefined)[]): TestCandidate[] {
  return factors.map((factor, i) =>
    candidate(`n${i}`, { live: { load: factor === undefined ? Number.NaN : 1 - factor / 100, loadAtMs: 0 } }),
  );
}

function shares(algorithm: Algorithm, nodes: readonly TestCandidate[], requests: number, nowMs: number): number[] {
  const counts = nodes.map(() => 0);
  for (let i = 0; i < requests; i++) {
    const picked = algorithm.pick(nodes, { nowMs, isNewSession: true }, NONE)!;
    counts[nodes.indexOf(picked as TestCandidate)]!++;
  }
  return counts;
}

// The native module was seen to give 41, 20 and 9 of 70, and 40, 20 and 10 twelve seconds later.
void test('loads 100, 50 and 25 get 40, 20 and 10 of 70 requests, again twelve seconds later', () => {
  const algorithm = modcluster();
  const nodes = nodesOf([100, 50, 25]);
  for (const nowMs of [0, 12_000]) assert.deepEqual(shares(algorithm, nodes, 70, nowMs), [40, 20, 10]);
});

void test('a node without a load gets nothing while there are others, and everything alone', () => {
  assert.deepEqual(shares(modcluster(), nodesOf([50, undefined, 50]), 10, 0), [5, 0, 5]);
  assert.deepEqual(shares(modcluster(), nodesOf([undefined]), 3, 0), [3]);
});

void test('ties go to the first of the list', () => {
  assert.deepEqual(shares(modcluster(), nodesOf([100, 100, 100]), 4, 0), [2, 1, 1]);
});

void test('choices of the last window still count, older ones do not', () => {
  const algorithm = modcluster();
  const [a, b] = nodesOf([100, 100]) as [TestCandidate, TestCandidate];
  for (let i = 0; i < 10; i++) algorithm.pick([a], { nowMs: 0, isNewSession: true }, NONE);
  assert.deepEqual(shares(algorithm, [a, b], 10, 5_000), [0, 10]);
  assert.deepEqual(shares(algorithm, [a, b], 10, 10_000), [10, 0]);
  assert.deepEqual(shares(algorithm, [a, b], 10, 30_000), [0, 10]);
});

void test('at a low login rate every login goes to the first node (MODCLUSTER-527)', () => {
  const algorithm = modcluster();
  const nodes = nodesOf([100, 100, 100]);
  let first = 0;
  for (let i = 0; i < 20; i++)
    if (algorithm.pick(nodes, { nowMs: 11_000 * i, isNewSession: true }, NONE) === nodes[0]) first++;
  assert.ok(first >= 10, `${first} of 20`);
});

void test('the load factor is 100 idle to 1 full, and 0 for a node without a report', () => {
  const factors = [0, 0.004, 0.5, 0.994, 1, 7, Number.NaN].map((load) =>
    loadFactor(candidate('n', { live: { load } })),
  );
  assert.deepEqual(factors, [100, 100, 50, 1, 1, 1, 0]);
});
