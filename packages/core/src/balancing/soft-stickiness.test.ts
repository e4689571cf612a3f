import assert from 'node:assert/strict';
import { test } from 'node:test';
import { candidate, type TestCandidate } from '../testing/algorithm-contract.ts';
import { SoftStickiness } from './soft-stickiness.ts';

interface Scene {
  readonly soft: SoftStickiness<TestCandidate>;
  readonly nodes: readonly TestCandidate[];
  readonly scores: Map<TestCandidate, number>;
}

function scene(live: Partial<TestCandidate['live']> = {}): Scene {
  const nodes = ['a', 'b', 'c', 'd'].map((id) => candidate(id, { live: { sessions: 1_000, ...live } }));
  const scores = new Map(nodes.map((node) => [node, 1]));
  return { nodes, scores, soft: new SoftStickiness({ wait: (node) => scores.get(node)! }) };
}

/** Leaves granted to the first node's sessions, asked a thousand times a second. */
function leaves({ soft, nodes }: Scene, fromMs: number, toMs: number): number {
  let granted = 0;
  for (let nowMs = fromMs; nowMs < toMs; nowMs++) if (soft.mayLeave(nodes[0]!, nodes, nowMs)) granted++;
  return granted;
}

void test('no session leaves while all nodes are about as busy', () => {
  const all = scene();
  all.scores.set(all.nodes[0]!, 8);
  assert.equal(leaves(all, 0, 10_000), 0);
});

void test('a node that becomes much busier is left after a while, by 2 % of its sessions in a second', () => {
  const all = scene();
  assert.equal(leaves(all, 0, 2_000), 0);
  all.scores.set(all.nodes[0]!, 100);
  assert.equal(leaves(all, 2_000, 2_100), 0, 'a burst passes by itself');
  leaves(all, 2_100, 4_000);
  const granted = leaves(all, 4_000, 14_000);
  assert.ok(granted >= 190 && granted <= 201, `${granted}`);
  assert.equal(all.soft.mayLeave(all.nodes[1]!, all.nodes, 14_000), false);
});

void test('workers share the allowed leaves', () => {
  const all = scene({ share: 0.25 });
  all.scores.set(all.nodes[0]!, 100);
  leaves(all, 0, 2_000);
  const granted = leaves(all, 2_000, 12_000);
  assert.ok(granted >= 45 && granted <= 51, `${granted}`);
});

void test('a node that has cooled down keeps its sessions, and saves up leaves of one second at most', () => {
  const all = scene();
  all.scores.set(all.nodes[0]!, 100);
  leaves(all, 0, 3_000);
  all.scores.set(all.nodes[0]!, 1);
  leaves(all, 3_000, 10_000);
  assert.equal(leaves(all, 10_000, 20_000), 0);
  all.scores.set(all.nodes[0]!, 100);
  const granted = leaves(all, 20_000, 21_000);
  assert.ok(granted > 20 && granted <= 41, `${granted}`);
});

void test('a session can leave as soon as its node is overloaded, also with few sessions', () => {
  const all = scene({ sessions: 10, share: 0.25 });
  assert.equal(leaves(all, 0, 30_000), 0);
  all.scores.set(all.nodes[0]!, 100);
  assert.equal(leaves(all, 30_000, 31_000), 1);
  assert.equal(leaves(all, 31_000, 40_000), 0, 'the next one after twenty seconds');
});

void test('extreme scores and sessions neither throw nor let all sessions leave', () => {
  for (const extreme of [Number.NaN, Number.POSITIVE_INFINITY, -1, Number.MAX_VALUE]) {
    const all = scene({ sessions: extreme, share: extreme });
    all.scores.set(all.nodes[0]!, extreme);
    if (extreme !== Number.MAX_VALUE) assert.ok(leaves(all, 0, 3_000) < 100);
    assert.equal(typeof all.soft.mayLeave(all.nodes[0]!, [], 4_000), 'boolean');
  }
});
