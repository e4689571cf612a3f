/** The contract of algorithms, run for all of `ALGORITHMS`, and the properties of single ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeId } from '@rollcall/protocol';
import { seededRng } from '../seeded-rng.ts';
import { algorithmContract, candidate } from '../testing/algorithm-contract.ts';
import type { Algorithm } from './algorithm.ts';
import { ALGORITHMS, type AlgorithmName, isAlgorithmName } from './index.ts';

const PROMISES: Readonly<Record<AlgorithmName, boolean>> = {
  adaptive: false,
  session: true,
  'round-robin': true,
  'least-connections': false,
  'power-of-two': false,
  modcluster: false,
};
const NONE: ReadonlySet<NodeId> = new Set();

for (const [name, create] of Object.entries(ALGORITHMS)) {
  assert.ok(isAlgorithmName(name));
  algorithmContract({ name, create, promisesShares: PROMISES[name] });
}

void test('names that are no algorithm are recognized, also names of built-in properties', () => {
  assert.equal(isAlgorithmName('adaptive'), true);
  for (const text of ['', 'fastest', 'toString', '__proto__']) assert.equal(isAlgorithmName(text), false);
});

function make(name: AlgorithmName): Algorithm {
  return ALGORITHMS[name]({ rng: seededRng(3) });
}

void test('round-robin interleaves weights instead of bunching them', () => {
  const algorithm = make('round-robin');
  const nodes = [candidate('a', { weight: 2 }), candidate('b'), candidate('c')];
  const turns = Array.from({ length: 8 }, () => algorithm.pick(nodes, { nowMs: 0, isNewSession: false }, NONE)?.id);
  assert.deepEqual(turns, ['a', 'b', 'c', 'a', 'a', 'b', 'c', 'a']);
});

for (const name of ['adaptive', 'least-connections', 'power-of-two'] as const) {
  void test(`${name} avoids a node with many requests in flight`, () => {
    const algorithm = make(name);
    const nodes = [candidate('busy', { live: { inFlight: 50 } }), candidate('idle', { live: { inFlight: 1 } })];
    for (let i = 0; i < 100; i++)
      assert.equal(algorithm.pick(nodes, { nowMs: 0, isNewSession: false }, NONE)?.id, 'idle');
  });
}

void test('least-connections and power-of-two count in-flight requests by weight', () => {
  const nodes = [
    candidate('big', { weight: 10, live: { inFlight: 5 } }),
    candidate('small', { live: { inFlight: 1 } }),
  ];
  for (const name of ['least-connections', 'power-of-two'] as const)
    assert.equal(make(name).pick(nodes, { nowMs: 0, isNewSession: false }, NONE)?.id, 'big');
});

void test('adaptive follows the reported load while it is fresh', () => {
  const algorithm = make('adaptive');
  const nodes = [
    candidate('hot', { live: { load: 0.9, loadAtMs: 1_000 } }),
    candidate('cool', { live: { load: 0.1, loadAtMs: 1_000 } }),
  ];
  const picks = (nowMs: number): Set<unknown> =>
    new Set(Array.from({ length: 50 }, () => algorithm.pick(nodes, { nowMs, isNewSession: false }, NONE)?.id));
  assert.deepEqual(picks(1_500), new Set(['cool']));
  assert.equal(picks(60_000).size, 2, 'a load of a minute ago decides nothing');
});

void test('adaptive is not attracted by a node that fails fast', () => {
  const algorithm = make('adaptive');
  const nodes = [candidate('broken'), candidate('sound')];
  for (let i = 0; i < 20; i++) {
    algorithm.onResponse?.(nodes[0]!, 'server-error', 1, i);
    algorithm.onResponse?.(nodes[1]!, 'ok', 15, i);
  }
  for (let i = 0; i < 100; i++)
    assert.equal(algorithm.pick(nodes, { nowMs: i, isNewSession: false }, NONE)?.id, 'sound');
});

void test('adaptive does not blame a node for clients that leave', () => {
  const algorithm = make('adaptive');
  const node = candidate('n');
  const before = algorithm.score?.(node, { nowMs: 0, isNewSession: false });
  for (let i = 0; i < 50; i++) algorithm.onResponse?.(node, 'client', 9_999, i);
  assert.equal(algorithm.score?.(node, { nowMs: 0, isNewSession: false }), before);
});

void test('adaptive gives a joining node a tenth of the chances at once and all of them after 20 s', () => {
  const algorithm = make('adaptive');
  const nodes = [candidate('old'), candidate('new', { upAtMs: 100_000 })];
  const share = (nowMs: number): number => {
    let picks = 0;
    for (let i = 0; i < 10_000; i++)
      if (algorithm.pick(nodes, { nowMs, isNewSession: false }, NONE)?.id === 'new') picks++;
    return picks / 10_000;
  };
  assert.ok(Math.abs(share(100_000) - 0.05) < 0.01);
  assert.ok(Math.abs(share(110_000) - 0.25) < 0.02);
  assert.ok(Math.abs(share(120_000) - 0.5) < 0.02);
});

void test('adaptive serves a cluster in which every node has just come up', () => {
  const algorithm = make('adaptive');
  const nodes = [candidate('a', { upAtMs: 5_000 }), candidate('b', { upAtMs: 5_000 })];
  for (let i = 0; i < 100; i++) assert.ok(algorithm.pick(nodes, { nowMs: 5_000, isNewSession: false }, NONE));
});

void test('adaptive finds the few fast nodes among hundreds', () => {
  const algorithm = make('adaptive');
  const nodes = Array.from({ length: 400 }, (_, i) => candidate(`n${i}`, { live: { inFlight: i % 2 === 0 ? 20 : 0 } }));
  let idle = 0;
  for (let i = 0; i < 1_000; i++)
    if (algorithm.pick(nodes, { nowMs: 0, isNewSession: false }, NONE)?.live.inFlight === 0) idle++;
  assert.ok(idle > 990, `${idle} of 1000`);
});

void test('round-robin scores a node it has not seen by its weight', () => {
  assert.equal(make('round-robin').score?.(candidate('new', { weight: 3 }), { nowMs: 0, isNewSession: false }), 1 / 3);
});
