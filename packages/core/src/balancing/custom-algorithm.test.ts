import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeId } from '@rollcall/protocol';
import { seededRng } from '../seeded-rng.ts';
import { algorithmContract, candidate } from '../testing/algorithm-contract.ts';
import type { AlgorithmFactory, Candidate } from './algorithm.ts';
import { AlgorithmProblem, customAlgorithm } from './custom-algorithm.ts';
import { powerOfTwo } from './power-of-two.ts';

function problemOf(exported: unknown): string {
  const checked = customAlgorithm(exported, 'mine');
  return checked instanceof AlgorithmProblem ? checked.message : '';
}

/** What watched algorithms have done wrong. */
const mistakes: string[] = [];

function usable(exported: unknown): AlgorithmFactory {
  const checked = customAlgorithm(exported, 'mine', (what) => mistakes.push(what));
  assert.ok(!(checked instanceof AlgorithmProblem));
  return checked;
}

algorithmContract({ name: 'mine', create: usable(powerOfTwo), promisesShares: false });

const first = (candidates: readonly Candidate[], tried: ReadonlySet<unknown>): Candidate | undefined =>
  candidates.find(({ id }) => !tried.has(id));

void test('for a value that is no algorithm the problem names what is missing', () => {
  const pick = (candidates: readonly Candidate[], _: unknown, tried: ReadonlySet<unknown>): Candidate | undefined =>
    first(candidates, tried);
  assert.match(problemOf(undefined), /no function as its default export: write export default/);
  assert.match(
    problemOf(() => 1),
    /make an object/,
  );
  assert.match(
    problemOf(() => ({ name: 'mine' })),
    /without pick/,
  );
  assert.match(
    problemOf(() => ({ name: 'mine', pick, onSend: 3 })),
    /onSend, which is no method/,
  );
  assert.match(
    problemOf(() => ({ name: 'mine', pick: () => ({}) })),
    /empty list/,
  );
  assert.match(
    problemOf(() => ({ name: 'mine', pick: (of: readonly Candidate[]) => of[0] })),
    /was tried/,
  );
  assert.match(
    problemOf(() => {
      throw new Error('no luck');
    }),
    /throws when it is tried: no luck/,
  );
  assert.equal(
    problemOf(() => ({ name: 'mine', pick })),
    '',
  );
});

void test('an algorithm that throws later, or picks an unknown node, costs no request', () => {
  let isBroken = false;
  const create = usable(() => ({
    pick: (candidates: readonly Candidate[], _: unknown, tried: ReadonlySet<unknown>) => {
      if (isBroken) throw new Error('broken');
      return candidates.length > 2 ? candidate('other') : first(candidates, tried);
    },
    onResponse: () => {
      throw new Error('broken');
    },
    score: () => Number.NaN,
  }));
  const algorithm = create({ rng: seededRng(1) });
  const nodes = ['a', 'b', 'c'].map((id) => candidate(id));
  const request = { nowMs: 0, isNewSession: false };
  for (const broken of [false, true]) {
    isBroken = broken;
    const tried = new Set([nodes[0]!.id]);
    for (let i = 0; i < 20; i++) assert.ok([nodes[1], nodes[2]].includes(algorithm.pick(nodes, request, tried)!));
  }
  assert.deepEqual(
    [...new Set(mistakes.splice(0))],
    ['it picks a node that was not offered', 'broken', 'it picks no node'],
  );
  algorithm.onResponse?.(nodes[0]!, 'ok', 1, 0);
  assert.deepEqual(mistakes, ['broken']);
  assert.equal(algorithm.score?.(nodes[0]!, request), Number.MAX_VALUE);
});

void test('a thrown value that is no error is reported with its type', () => {
  const mistakes: string[] = [];
  let isTrial = true;
  const create = customAlgorithm(
    () => ({
      pick: (nodes: readonly Candidate[], _: unknown, tried: ReadonlySet<NodeId>) => {
        if (!isTrial) throw undefined;
        return nodes.find(({ id }) => !tried.has(id));
      },
    }),
    'odd',
    (what) => mistakes.push(what),
  );
  assert.ok(typeof create === 'function');
  isTrial = false;
  create({ rng: seededRng(1) }).pick([candidate('a')], { nowMs: 0, isNewSession: false }, new Set());
  assert.equal(mistakes[0], 'it throws a value of type undefined');
});

void test('for any value that a custom algorithm returns or throws, another one picks', () => {
  const odd: readonly (() => unknown)[] = [
    () => null,
    () => 0,
    () => 'a',
    () => ({}),
    () => Symbol('a'),
    () => {
      throw Object.create(null);
    },
    () => {
      throw null;
    },
  ];
  for (const pick of odd) {
    let isTrial = true;
    const create = customAlgorithm(
      () => ({
        pick: (nodes: readonly Candidate[], _: unknown, tried: ReadonlySet<NodeId>) =>
          isTrial ? nodes.find(({ id }) => !tried.has(id)) : pick(),
        score: () => pick(),
      }),
      'odd',
    );
    assert.ok(typeof create === 'function');
    isTrial = false;
    const nodes = [candidate('a'), candidate('b')];
    const algorithm = create({ rng: seededRng(1) });
    assert.ok(nodes.includes(algorithm.pick(nodes, { nowMs: 0, isNewSession: false }, new Set())!));
    assert.equal(typeof algorithm.score?.(nodes[0]!, { nowMs: 0, isNewSession: false }), 'number');
  }
});
