/** The contract of `Algorithm` as test cases, run for every algorithm. */
// biome-ignore-start lint/correctness/noNodejsModules: only tests load `./testing`
import assert from 'node:assert/strict';
import { test } from 'node:test';
// biome-ignore-end lint/correctness/noNodejsModules: only tests load `./testing`
import { type NodeId, parseNodeId } from '@rollcall/protocol';
import {
  type Algorithm,
  type AlgorithmFactory,
  type Candidate,
  type LiveNumbers,
  newLiveNumbers,
} from '../balancing/algorithm.ts';
import type { Rng } from '../rng.ts';
import { seededRng } from '../seeded-rng.ts';

export interface AlgorithmContractOptions {
  readonly name: string;
  readonly create: AlgorithmFactory;
  /** Shares follow weights when placements are counted in `live.placed` and nothing else differs. */
  readonly promisesShares: boolean;
}

/** A candidate that tests may change in place. */
export type TestCandidate = Candidate & { readonly live: LiveNumbers };

/** A candidate that is idle, came up long ago and has reported no numbers, changed by `differs`. */
export function candidate(
  id: string,
  differs: Partial<Omit<Candidate, 'id' | 'live'>> & { readonly live?: Partial<LiveNumbers> } = {},
): TestCandidate {
  const { live, ...fixed } = differs;
  const nodeId = parseNodeId(id);
  assert.ok(nodeId, `${id} is a node id`);
  return {
    weight: 1,
    cores: 1,
    upAtMs: Number.NEGATIVE_INFINITY,
    ...fixed,
    id: nodeId,
    live: { ...newLiveNumbers(), ...live },
  };
}

const PICKS = 100_000;
/** Shares may differ by so much from what was promised, as a part of all picks. */
const TOLERANCE = 0.01;
const NONE_TRIED: ReadonlySet<NodeId> = new Set();
const EXTREMES: readonly number[] = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.MAX_VALUE,
  Number.MIN_VALUE,
  -1,
  0,
];

/** Declares the cases. Call it at the top of a test file. */
export function algorithmContract({ name, create, promisesShares }: AlgorithmContractOptions): void {
  const declare = (sentence: string, run: (algorithm: Algorithm, rng: Rng) => void): void => {
    void test(`${name}: ${sentence}`, () => run(create({ rng: seededRng(7) }), seededRng(11)));
  };

  declare('has the name it is created by', (algorithm) => assert.equal(algorithm.name, name));

  declare('picks no node from an empty list', (algorithm) => {
    assert.equal(algorithm.pick([], at(0), NONE_TRIED), undefined);
  });

  declare('picks the only candidate, and no node once it was tried', (algorithm) => {
    const only = candidate('only');
    assert.equal(algorithm.pick([only], at(0), NONE_TRIED), only);
    assert.equal(algorithm.pick([only], at(0), new Set([only.id])), undefined);
  });

  declare(
    'never picks outside the candidates or among the tried, and finds the last that is left',
    (algorithm, rng) => {
      for (const size of [2, 3, 16, 100, 300]) {
        const all = nodes(size);
        for (let round = 0; round < 50; round++) {
          const candidates = all.filter(() => rng() < 0.7);
          const tried = new Set(candidates.filter(() => rng() < 0.5).map(({ id }) => id));
          const picked = algorithm.pick(candidates, at(round), tried);
          if (picked === undefined) assert.equal(tried.size, candidates.length, 'gave up while some were left');
          else
            assert.ok(
              all.some((node) => node === picked) &&
                candidates.includes(picked as TestCandidate) &&
                !tried.has(picked.id),
            );
        }
        const last = all[size - 1]!;
        const others = new Set(all.slice(0, -1).map(({ id }) => id));
        assert.equal(algorithm.pick(all, at(0), others), last);
      }
    },
  );

  declare('follows a list that is changed in place', (algorithm) => {
    const listed = nodes(12);
    const waiting = [candidate('away')];
    for (let round = 0; round < 200; round++) {
      // One goes; in every other round another one comes at once, so that their number stays the same.
      waiting.push(...listed.splice((7 * round) % listed.length, 1));
      if (round % 2 === 0 || listed.length < 6) listed.push(...waiting.splice(0, round % 3 === 0 ? 2 : 1));
      for (let i = 0; i < 3; i++) {
        const picked = algorithm.pick(listed, at(round), NONE_TRIED);
        assert.ok(picked !== undefined && listed.includes(picked), 'picked a node that has gone');
      }
    }
  });

  declare('treats equal nodes alike', () => {
    for (const size of [2, 5, 10]) {
      // One with a memory of who got what would make up for the round before.
      const shares = sharesOf(create({ rng: seededRng(7) }), nodes(size), PICKS / 10);
      for (const share of shares.values()) assert.ok(Math.abs(share - 1 / size) < 0.02, `share ${share} of ${size}`);
    }
  });

  if (promisesShares) {
    declare('gives shares by weight', (algorithm) => {
      const weighted = [1, 2, 4, 0.5].map((weight, i) => candidate(`n${i}`, { weight }));
      const shares = sharesOf(algorithm, weighted, PICKS);
      for (const { id, weight } of weighted) {
        const share = shares.get(id) ?? 0;
        assert.ok(Math.abs(share - weight / 7.5) < TOLERANCE, `${id} of weight ${weight} got ${share}`);
      }
    });
  }

  declare('keeps what it knows of survivors when membership changes', (algorithm) => {
    const all = nodes(4);
    const slow = all[0]!;
    for (let i = 0; i < 200; i++) {
      for (const node of all) algorithm.onResponse?.(node, node === slow ? 'failed' : 'ok', 10, i);
      pickAndCount(algorithm, all, i);
    }
    const before = scores(algorithm, all);
    algorithm.onMembership?.(all.slice(0, 3));
    const after = scores(algorithm, all.slice(0, 3));
    assert.deepEqual(after, before.slice(0, 3));
    assert.notEqual(algorithm.pick([...all.slice(0, 3), candidate('new')], at(300), NONE_TRIED), undefined);
  });

  declare('the scores that a traced pick reports name the picked node', (algorithm, rng) => {
    let compared = 0;
    for (let round = 0; round < 400; round++) {
      const candidates = randomNodes(rng, round * 100_000);
      algorithm.onMembership?.(candidates);
      for (let i = 0; i < 12; i++) {
        const nowMs = round * 100_000 + i * Math.floor(rng() * 400);
        stir(algorithm, candidates, nowMs, rng);
        const tried = new Set(candidates.filter(() => rng() < 0.1).map(({ id }) => id));
        const scores = new Map<Candidate, number>();
        const leftOut = new Set<Candidate>();
        const trace = {
          compared: (candidate: Candidate, score: number) => void scores.set(candidate, score),
          leftOut: (candidate: Candidate) => void leftOut.add(candidate),
        };
        const picked = algorithm.pick(candidates, { ...at(nowMs), trace }, tried);
        if (picked !== undefined) picked.live.placed++;
        for (const candidate of scores.keys()) assert.ok(!tried.has(candidate.id), 'compared a node that was tried');
        if (scores.size < 2) continue;
        compared++;
        assert.ok(picked !== undefined && !leftOut.has(picked));
        assert.equal(scores.get(picked), Math.min(...scores.values()), `${picked.id} is not the best one`);
      }
    }
    assert.ok(compared > 500, `only ${compared} picks compared nodes`);
  });

  declare('a traced pick changes no later pick', () => {
    const picks = (isTraced: boolean): (NodeId | undefined)[] => {
      const rng = seededRng(13);
      const algorithm = create({ rng: seededRng(17) });
      const candidates = randomNodes(rng, 0);
      const trace = { compared: () => {}, leftOut: () => {} };
      return Array.from({ length: 300 }, (_, i) => {
        stir(algorithm, candidates, i * 20, rng);
        const picked = algorithm.pick(candidates, { ...at(i * 20), ...(isTraced && { trace }) }, NONE_TRIED);
        if (picked !== undefined) picked.live.placed++;
        return picked?.id;
      });
    };
    assert.deepEqual(picks(true), picks(false));
  });

  declare('survives extreme numbers', (algorithm) => {
    for (const extreme of EXTREMES) {
      const odd = candidate('odd', {
        weight: extreme,
        cores: extreme,
        upAtMs: extreme,
        live: {
          inFlight: extreme,
          load: extreme,
          loadAtMs: extreme,
          sessions: extreme,
          placed: extreme,
          latencyMs: extreme,
          share: extreme,
        },
      });
      const candidates = [candidate('a'), odd, candidate('b')];
      for (const outcome of ['ok', 'server-error', 'failed', 'client'] as const)
        for (const node of candidates) algorithm.onResponse?.(node, outcome, extreme, 0);
      const report = { inFlight: extreme, serviceMs: extreme, load: extreme, sessions: extreme };
      for (const isBesideAnswer of [true, false])
        for (const node of candidates) algorithm.onReport?.(node, { ...report, isBesideAnswer }, extreme);
      for (let i = 0; i < 10; i++) {
        const picked = algorithm.pick(candidates, at(i), NONE_TRIED);
        assert.ok(picked !== undefined, `no node was picked beside ${extreme}`);
        assert.equal(algorithm.pick(candidates, at(i), new Set([candidates[0]!.id, candidates[2]!.id])), odd);
      }
      for (const node of candidates) assert.ok(!Number.isNaN(algorithm.score?.(node, at(0)) ?? 0));
    }
  });
}

function at(nowMs: number): { nowMs: number; isNewSession: boolean } {
  return { nowMs, isNewSession: true };
}

function nodes(count: number): TestCandidate[] {
  return Array.from({ length: count }, (_, i) => candidate(`n${i}`));
}

/** Two to forty nodes of different weights, loads and sessions; some have come up lately. */
function randomNodes(rng: Rng, nowMs: number): TestCandidate[] {
  return Array.from({ length: 2 + Math.floor(rng() ** 3 * 39) }, (_, i) =>
    candidate(`n${i}`, {
      weight: rng() < 0.5 ? 1 : 1 + Math.floor(rng() * 4),
      upAtMs: rng() < 0.2 ? nowMs : Number.NEGATIVE_INFINITY,
      live: {
        ...newLiveNumbers(),
        inFlight: Math.floor(rng() * 4),
        load: rng() < 0.2 ? Number.NaN : rng(),
        sessions: Math.floor(rng() * 20),
      },
    }),
  );
}

/** Some answers, failures and reports, and other numbers in flight. */
function stir(algorithm: Algorithm, candidates: readonly TestCandidate[], nowMs: number, rng: Rng): void {
  for (const node of candidates) {
    const kind = rng();
    if (kind < 0.3) algorithm.onResponse?.(node, kind < 0.1 ? 'failed' : 'ok', rng() * (kind < 0.2 ? 500 : 5), nowMs);
    else if (kind < 0.5) node.live.inFlight = Math.floor(rng() * 6);
    else if (kind < 0.6) {
      node.live.load = rng();
      node.live.loadAtMs = nowMs;
      const report = { inFlight: Math.floor(rng() * 8), serviceMs: rng() * 20, load: node.live.load, sessions: 3 };
      algorithm.onReport?.(node, { ...report, isBesideAnswer: rng() < 0.5 }, nowMs);
    }
  }
}

function scores(algorithm: Algorithm, candidates: readonly Candidate[]): (number | undefined)[] {
  return candidates.map((node) => algorithm.score?.(node, at(1_000)));
}

function pickAndCount(algorithm: Algorithm, candidates: readonly TestCandidate[], nowMs: number): NodeId | undefined {
  const picked = algorithm.pick(candidates, at(nowMs), NONE_TRIED);
  const node = candidates.find((one) => one === picked);
  if (node) node.live.placed++;
  return node?.id;
}

/** Share of each node in `picks` picks that are counted as placements. */
function sharesOf(algorithm: Algorithm, candidates: readonly TestCandidate[], picks: number): Map<NodeId, number> {
  const shares = new Map<NodeId, number>();
  for (let i = 0; i < picks; i++) {
    const id = pickAndCount(algorithm, candidates, i);
    assert.ok(id !== undefined);
    shares.set(id, (shares.get(id) ?? 0) + 1 / picks);
  }
  return shares;
}
