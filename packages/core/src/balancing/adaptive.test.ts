import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeId } from '@rollcall/protocol';
import { seededRng } from '../seeded-rng.ts';
import { candidate, type TestCandidate } from '../testing/algorithm-contract.ts';
import { adaptive } from './adaptive.ts';
import type { Algorithm, NodeReport } from './algorithm.ts';

const NONE: ReadonlySet<NodeId> = new Set();

function make(): Algorithm {
  return adaptive({ rng: seededRng(5) });
}

function reported(numbers: Partial<NodeReport>): NodeReport {
  return {
    inFlight: Number.NaN,
    serviceMs: Number.NaN,
    load: Number.NaN,
    sessions: Number.NaN,
    isBesideAnswer: true,
    ...numbers,
  };
}

/** Picks of each in `count` sequential requests. */
function picks(algorithm: Algorithm, nodes: readonly TestCandidate[], count: number, nowMs: number): number[] {
  const counts = nodes.map(() => 0);
  for (let i = 0; i < count; i++) {
    const picked = algorithm.pick(nodes, { nowMs, isNewSession: false }, NONE);
    counts[nodes.indexOf(picked!)]!++;
  }
  return counts;
}

function tell(algorithm: Algorithm, node: TestCandidate, report: Partial<NodeReport>, nowMs: number, times = 20): void {
  for (let i = 0; i < times; i++) algorithm.onReport?.(node, reported(report), nowMs);
}

void test('the service time that a node reports decides, not the latency of its answers', () => {
  const algorithm = make();
  const [slow, fast] = [candidate('slow'), candidate('fast')];
  tell(algorithm, slow, { serviceMs: 20 }, 0);
  tell(algorithm, fast, { serviceMs: 10 }, 0);
  for (let i = 0; i < 50; i++) {
    algorithm.onResponse?.(slow, 'ok', 1, 0);
    algorithm.onResponse?.(fast, 'ok', 500, 0);
  }
  assert.deepEqual(picks(algorithm, [slow, fast], 50, 0), [0, 50]);
});

void test('a node without reports beside its answers is judged by their latency, not by reports that are seconds old', () => {
  const algorithm = make();
  const [slow, fast] = [candidate('slow'), candidate('fast')];
  for (let at = 0; at < 20; at++) {
    tell(algorithm, slow, { serviceMs: 1 + at, isBesideAnswer: false }, at, 1);
    tell(algorithm, fast, { serviceMs: 100 + at, isBesideAnswer: false }, at, 1);
    algorithm.onResponse?.(slow, 'ok', 50, at);
    algorithm.onResponse?.(fast, 'ok', 5, at);
  }
  assert.deepEqual(picks(algorithm, [slow, fast], 50, 20), [0, 50]);
});

void test('one long request does not make a node a slow one', () => {
  const algorithm = make();
  const [steady, once] = [candidate('steady'), candidate('once')];
  for (const node of [steady, once]) tell(algorithm, node, { serviceMs: node === once ? 10 : 14 }, 0);
  tell(algorithm, once, { serviceMs: 300 }, 0, 1);
  assert.deepEqual(picks(algorithm, [steady, once], 50, 0), [0, 50]);
});

void test('requests of other workers count, without those of this one', () => {
  const algorithm = make();
  const [busy, own, free] = [
    candidate('busy'),
    candidate('own', { live: { inFlight: 3 } }),
    candidate('free', { live: { inFlight: 3 } }),
  ];
  for (const node of [busy, own, free]) tell(algorithm, node, { serviceMs: 10 }, 0);
  tell(algorithm, busy, { inFlight: 9 }, 0, 50);
  tell(algorithm, own, { inFlight: 5 }, 0, 50);
  tell(algorithm, free, { inFlight: 3 }, 0, 50);
  assert.deepEqual(picks(algorithm, [busy, own, free], 50, 0), [0, 0, 50]);
});

void test('an own request stands for as many as there are workers', () => {
  const algorithm = make();
  const score = (share: number): number =>
    algorithm.score?.(candidate('n', { live: { inFlight: 2, share } }), { nowMs: 0, isNewSession: false }) ?? 0;
  assert.ok(Math.abs(score(0.25) / score(1) - (9 / 3) ** 1.5) < 1e-9);
});

void test('a report by way of the coordinator counts only when the node has been silent for a second', () => {
  const algorithm = make();
  const node = candidate('n');
  const score = (nowMs: number): number => algorithm.score?.(node, { nowMs, isNewSession: false }) ?? 0;
  tell(algorithm, node, { inFlight: 0, serviceMs: 10 }, 1_000);
  const before = score(1_000);
  tell(algorithm, node, { inFlight: 50, serviceMs: 90, isBesideAnswer: false }, 1_900);
  assert.equal(score(1_900), before);
  tell(algorithm, node, { inFlight: 50, serviceMs: 90, isBesideAnswer: false }, 2_000);
  assert.ok(score(2_000) > 10 * before);
});

void test('a report on requests of other workers fades after a second', () => {
  const algorithm = make();
  const node = candidate('n');
  const queue = (nowMs: number): number => (algorithm.score?.(node, { nowMs, isNewSession: false }) ?? 0) ** (2 / 3);
  tell(algorithm, node, { inFlight: 8, serviceMs: 10 }, 0, 200);
  const full = queue(1_000);
  assert.equal(queue(0), full);
  // 1 + 8 in all, 8 of these others': after 8 s one is left.
  assert.ok(Math.abs(queue(8_000) / full - 2 / 9) < 0.01);
});

void test('errors fade, so that a node that has recovered is tried again', () => {
  const algorithm = make();
  const node = candidate('n');
  const score = (nowMs: number): number => algorithm.score?.(node, { nowMs, isNewSession: false }) ?? 0;
  const sound = score(0);
  for (let i = 0; i < 20; i++) algorithm.onResponse?.(node, 'server-error', 1, 0);
  assert.ok(score(0) > 15 * sound);
  assert.ok(score(60_000) < 4 * sound);
});

void test('changes in place of the list are followed: no node outside it is picked, and a new node gets its part', () => {
  const algorithm = make();
  const nodes = Array.from({ length: 40 }, (_, i) => candidate(`n${i}`));
  const listed = [...nodes];
  picks(algorithm, listed, 500, 0);
  listed.splice(3, 1);
  listed.push(candidate('new'));
  const counts = picks(algorithm, listed, 8_000, 0);
  assert.equal(counts.length, 40);
  for (const [i, count] of counts.entries()) assert.ok(count > 80 && count < 400, `${listed[i]!.id} got ${count}`);
});

void test('the best of a thousand is found within a thousand picks after its number changes without a report', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const algorithm = adaptive({ rng: seededRng(seed) });
    const nodes = Array.from({ length: 1_000 }, (_, i) => candidate(`n${i}`, { live: { inFlight: 5 } }));
    picks(algorithm, nodes, 10, 0);
    nodes[777]!.live.inFlight = 0;
    picks(algorithm, nodes, 1_000, 0);
    const counts = picks(algorithm, nodes, 500, 0);
    assert.ok(counts[777]! > 400, `${counts[777]} with seed ${seed}`);
  }
});

void test('a node that fails fast and reports the short time of that attracts no requests', () => {
  const algorithm = make();
  const nodes = ['sick', 'a', 'b', 'c'].map((id) => candidate(id));
  for (const node of nodes) tell(algorithm, node, { serviceMs: 35, inFlight: 2 }, 0);
  let reported = 35;
  const counts = nodes.map(() => 0);
  for (let i = 0; i < 1_000; i++) {
    const nowMs = i * 10;
    const picked = algorithm.pick(nodes, { nowMs, isNewSession: false }, NONE)!;
    counts[nodes.indexOf(picked)]!++;
    const isSick = picked === nodes[0];
    if (isSick) reported += 0.1 * (1 - reported);
    tell(algorithm, picked, { serviceMs: isSick ? reported : 35, inFlight: isSick ? 1 : 3 }, nowMs, 1);
    algorithm.onResponse?.(picked, isSick ? 'server-error' : 'ok', isSick ? 1 : 40, nowMs);
  }
  assert.ok(counts[0]! < 20, `${counts}`);
});

void test('a node with a ramp factor of 2 takes part half as much, for twice as long', () => {
  const partAt = (nowMs: number, rampFactor: number): number => {
    const algorithm = make();
    const nodes = [
      { ...candidate('new', { upAtMs: 0 }), rampFactor },
      candidate('old', { live: { inFlight: 50 } }),
    ] as const;
    let picked = 0;
    for (let i = 0; i < 2_000; i++)
      if (algorithm.pick(nodes, { nowMs, isNewSession: false }, NONE) === nodes[0]) picked++;
    return picked / 2_000;
  };
  for (const [nowMs, usual, slow] of [
    [0, 0.1, 0.05],
    [10_000, 0.5, 0.25],
    [20_000, 1, 0.5],
    [40_000, 1, 1],
  ] as const) {
    assert.ok(Math.abs(partAt(nowMs, 1) - usual) < 0.04, `${partAt(nowMs, 1)} at ${nowMs} ms`);
    assert.ok(Math.abs(partAt(nowMs, 2) - slow) < 0.04, `${partAt(nowMs, 2)} at ${nowMs} ms, twice as slowly`);
  }
});

void test('where all nodes have just come up, the best is taken and not the busiest', () => {
  for (const count of [3, 12, 40]) {
    const algorithm = make();
    const nodes = Array.from({ length: count }, (_, i) => candidate(`n${i}`, { upAtMs: 0 }));
    for (let i = 0; i < 50 * count; i++) {
      const picked = algorithm.pick(nodes, { nowMs: 100, isNewSession: false }, NONE)!;
      picked.live.inFlight++;
      algorithm.onSend?.(picked, 100);
    }
    const busiest = Math.max(...nodes.map(({ live }) => live.inFlight));
    assert.ok(busiest <= 75, `${busiest} of ${count} nodes, 50 on average`);
  }
});

void test('a node that was blocked is not avoided until the next request to it', () => {
  const algorithm = make();
  const [stalled, other] = [candidate('stalled'), candidate('other')];
  for (const node of [stalled, other]) tell(algorithm, node, { serviceMs: 5 }, 0);
  tell(algorithm, stalled, { serviceMs: 4_000 }, 0, 10);
  const ratio = (nowMs: number): number => {
    tell(algorithm, other, { serviceMs: 5 }, nowMs, 60);
    tell(algorithm, stalled, { serviceMs: 4_000, isBesideAnswer: false }, nowMs, 1);
    const request = { nowMs, isNewSession: false };
    return algorithm.score!(stalled, request) / algorithm.score!(other, request);
  };
  assert.ok(ratio(1_500) > 5);
  assert.ok(ratio(20_000) < 2, `${ratio(20_000)}`);
});
