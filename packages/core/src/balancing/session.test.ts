import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeId } from '@rollcall/protocol';
import { seededRng } from '../seeded-rng.ts';
import { candidate, type TestCandidate } from '../testing/algorithm-contract.ts';
import { session } from './session.ts';

const NONE: ReadonlySet<NodeId> = new Set();

function logIn(nodes: readonly TestCandidate[], logins: number, fromMs: number, everyMs: number): Map<string, number> {
  const algorithm = session({ rng: seededRng(5) });
  const placed = new Map<string, number>();
  for (let i = 0; i < logins; i++) {
    const picked = algorithm.pick(nodes, { nowMs: fromMs + i * everyMs, isNewSession: true }, NONE);
    const node = nodes.find((one) => one === picked)!;
    node.live.placed++;
    placed.set(node.id, (placed.get(node.id) ?? 0) + 1);
  }
  return placed;
}

void test('few logins stay even to one session', () => {
  const nodes = ['a', 'b', 'c', 'd'].map((id) => candidate(id, { live: { sessions: 0 } }));
  const placed = logIn(nodes, 42, 1_000, 10_000);
  assert.deepEqual([...placed.values()].sort(), [10, 10, 11, 11]);
});

void test('placements that no report has counted yet do count', () => {
  const nodes = [candidate('a', { live: { sessions: 5, placed: 0 } }), candidate('b', { live: { sessions: 0 } })];
  const placed = logIn(nodes, 15, 1_000, 1);
  assert.deepEqual([placed.get('a'), placed.get('b')], [5, 10]);
});

void test('a joining node is used at once, and no node gets over 1.5 times the fair share in the next 10 s', () => {
  for (const others of [1, 2, 4, 9]) {
    const joinAtMs = 1_000_000;
    const nodes = Array.from({ length: others }, (_, i) =>
      candidate(`old${i}`, { live: { sessions: 1_000 + 50 * i } }),
    );
    nodes.push(candidate('new', { upAtMs: joinAtMs, live: { sessions: 0 } }));
    const placed = logIn(nodes, 500, joinAtMs, 20);
    const fair = 500 / nodes.length;
    assert.ok((placed.get('new') ?? 0) > 0.9 * fair, `new got ${placed.get('new')} of fair ${fair}`);
    for (const [id, count] of placed) assert.ok(count <= 1.5 * fair, `${id} got ${count}, fair is ${fair}`);
  }
});

void test('the very next login after a join goes to the new node', () => {
  const nodes = [
    candidate('old', { live: { sessions: 10 } }),
    candidate('new', { upAtMs: 5_000, live: { sessions: 0 } }),
  ];
  assert.deepEqual([...logIn(nodes, 1, 5_000, 1)], [['new', 1]]);
});

void test('after the limited time a new node catches up', () => {
  const nodes = [candidate('old', { live: { sessions: 500 } }), candidate('new', { upAtMs: 0, live: { sessions: 0 } })];
  const placed = logIn(nodes, 100, 46_000, 1);
  assert.equal(placed.get('new'), 100);
});

void test('a new node with a ramp factor of 2 is limited for twice as long', () => {
  const newcomerAt = (fromMs: number, rampFactor: number): number => {
    const nodes = [
      candidate('old', { live: { sessions: 500 } }),
      { ...candidate('new', { upAtMs: 0, live: { sessions: 0 } }), rampFactor },
    ];
    return logIn(nodes, 100, fromMs, 1).get('new') ?? 0;
  };
  assert.deepEqual([newcomerAt(16_500, 1), newcomerAt(46_000, 2)], [100, 100]);
  assert.ok(newcomerAt(16_500, 2) <= 75, `${newcomerAt(16_500, 2)}`);
});

void test('shares are limited by weight', () => {
  const nodes = [
    candidate('a', { weight: 3, live: { sessions: 300 } }),
    candidate('new', { upAtMs: 0, live: { sessions: 0 } }),
  ];
  const placed = logIn(nodes, 100, 0, 10);
  assert.ok(placed.get('new')! <= 1.5 * 25 && placed.get('new')! >= 25, `${placed.get('new')}`);
});

void test('a node that answers much slower than the others gets no new sessions', () => {
  const algorithm = session({ rng: seededRng(5) });
  const nodes = [
    candidate('slow', { live: { sessions: 0 } }),
    candidate('a', { live: { sessions: 50 } }),
    candidate('b', { live: { sessions: 50 } }),
  ];
  for (let i = 0; i < 30; i++)
    for (const node of nodes) algorithm.onResponse?.(node, 'ok', node.id === 'slow' ? 400 : 10, i);
  for (let i = 0; i < 20; i++)
    assert.notEqual(algorithm.pick(nodes, { nowMs: 1_000 + i, isNewSession: true }, NONE)?.id, 'slow');
  assert.equal(
    algorithm.pick(nodes, { nowMs: 2_000, isNewSession: true }, new Set([nodes[1]!.id, nodes[2]!.id]))?.id,
    'slow',
  );
});

void test('among loaded nodes of equal sessions the freer one is chosen', () => {
  const nodes = [
    candidate('hot', { live: { sessions: 20, load: 0.9 } }),
    candidate('cool', { live: { sessions: 20, load: 0.5 } }),
    candidate('untold', { live: { sessions: 20 } }),
  ];
  assert.deepEqual([...logIn(nodes, 1, 0, 1)], [['cool', 1]]);
});

void test('of about equal nodes the one with the fewest requests gets the login; one request does not outweigh many sessions', () => {
  const nodes = ['busy', 'idle', 'busier'].map((id) => candidate(id, { live: { sessions: 20 } }));
  nodes[0]!.live.inFlight = 1;
  nodes[1]!.live.sessions = 21;
  nodes[2]!.live.inFlight = 2;
  assert.deepEqual([...logIn(nodes, 1, 0, 1)], [['idle', 1]]);
  nodes[1]!.live.sessions = 30;
  assert.deepEqual([...logIn(nodes, 1, 0, 1)], [['busy', 1]]);
});

void test('while nodes are idle the distribution of requests is chance, and sessions come out even', () => {
  const nodes = Array.from({ length: 12 }, (_, i) => candidate(`n${i}`, { live: { sessions: 11, load: 0.02 } }));
  nodes[4]!.live.sessions = 10;
  nodes[4]!.live.inFlight = 1;
  assert.deepEqual([...logIn(nodes, 1, 0, 1)], [['n4', 1]]);
});

void test('a node that has become free is seen within a millisecond for each node', () => {
  const algorithm = session({ rng: seededRng(5) });
  const nodes = ['a', 'b', 'c', 'd', 'e'].map((id) => candidate(id, { live: { sessions: 20, inFlight: 2 } }));
  const pick = (nowMs: number) => algorithm.pick(nodes, { nowMs, isNewSession: true }, NONE)?.id;
  pick(0);
  nodes[4]!.live.inFlight = 0;
  assert.equal(pick(5), 'e');
});

void test('a few milliseconds more or less do not make sessions uneven', () => {
  const algorithm = session({ rng: seededRng(5) });
  const nodes = ['a', 'b', 'c'].map((id) => candidate(id, { live: { sessions: 0 } }));
  for (let i = 0; i < 60; i++) {
    const picked = algorithm.pick(nodes, { nowMs: 1_000 * i, isNewSession: true }, NONE);
    const node = nodes.find((one) => one === picked)!;
    node.live.placed++;
    algorithm.onResponse?.(node, 'ok', node.id === 'a' ? 1 : node.id === 'b' ? 3 : 5, 1_000 * i);
  }
  for (const { id, live } of nodes) assert.ok(live.placed >= 17 && live.placed <= 24, `${id} got ${live.placed} of 60`);
});

void test('slow nodes are filled less than by their speed, so that one active session does not overload them', () => {
  const algorithm = session({ rng: seededRng(5) });
  const nodes = Array.from({ length: 6 }, (_, i) => candidate(`n${i}`, { live: { sessions: 0, load: 0.4 } }));
  const isSlow = (id: string): boolean => id < 'n3';
  const placed = { slow: 0, fast: 0 };
  for (let i = 0; i < 600; i++) {
    for (const node of nodes) {
      const report = { inFlight: 1, serviceMs: isSlow(node.id) ? 20 : 10, load: 0.4, sessions: node.live.sessions };
      algorithm.onReport?.(node, { ...report, isBesideAnswer: true }, 10 * i);
    }
    const picked = algorithm.pick(nodes, { nowMs: 10 * i, isNewSession: true }, NONE)!;
    nodes.find((one) => one === picked)!.live.sessions++;
    placed[isSlow(picked.id) ? 'slow' : 'fast']++;
  }
  assert.ok(placed.slow > 0 && placed.slow < placed.fast / 2, `${placed.slow} and ${placed.fast}`);
});

void test('of nodes that report no load, the one that works most gets no session', () => {
  const algorithm = session({ rng: seededRng(5) });
  const nodes = ['busy', 'a', 'b'].map((id) => candidate(id, { live: { sessions: 20 } }));
  const placed = new Map<string, number>();
  for (let i = 0; i < 4_000; i++) {
    for (const node of nodes) if (i % (node.id === 'busy' ? 12 : 24) === 0) algorithm.onResponse?.(node, 'ok', 10, i);
    if (i < 2_000 || i % 100 > 0) continue;
    const { id } = algorithm.pick(nodes, { nowMs: i, isNewSession: true }, NONE)!;
    placed.set(id, (placed.get(id) ?? 0) + 1);
  }
  assert.equal(placed.get('busy'), undefined);
  assert.equal((placed.get('a') ?? 0) + (placed.get('b') ?? 0), 20);
});

void test('many logins at once are placed by the service times learned since the last measurement, though no time passes', () => {
  const algorithm = session({ rng: seededRng(5) });
  const nodes = ['slow', 'a', 'b'].map((id) => candidate(id, { live: { sessions: 0 } }));
  const pick = (): string => {
    const picked = algorithm.pick(nodes, { nowMs: 0, isNewSession: true }, NONE)!;
    nodes.find((one) => one === picked)!.live.placed++;
    return picked.id;
  };
  for (let i = 0; i < 3; i++) pick();
  for (let i = 0; i < 30; i++)
    for (const node of nodes) algorithm.onResponse?.(node, 'ok', node.id === 'slow' ? 400 : 10, 0);
  const after = Array.from({ length: 30 }, pick);
  assert.ok(!after.includes('slow'), `${after}`);
});
