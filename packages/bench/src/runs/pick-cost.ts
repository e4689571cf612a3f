/** What one choice costs, without anything around it. */
import { ALGORITHMS, type AlgorithmName, type Candidate, type LiveNumbers } from '@rollcall/core';
import { type NodeId, parseNodeId } from '@rollcall/protocol';
import { type Spread, spreadOf } from '../numbers/spread.ts';

export interface PickCost {
  readonly algorithm: string;
  readonly candidates: number;
  /** Nanoseconds for a pick with what the algorithm learns when the request is sent and answered. */
  readonly ns: Spread;
}

const SAMPLES = 7;
const SAMPLE_MS = 60;
const NONE_TRIED: ReadonlySet<NodeId> = new Set();
const RNG_SEED = 0x2545f491;
/** Requests under way at once, as at a busy site. */
const IN_FLIGHT = 64;

type LiveCandidate = Candidate & { readonly live: LiveNumbers };

/** Measures every algorithm with so many candidates. Takes about half a second each. */
export function measurePicks(count: number): readonly PickCost[] {
  return (Object.keys(ALGORITHMS) as AlgorithmName[]).map((algorithm) => ({
    algorithm,
    candidates: count,
    ns: pickNs(algorithm, count),
  }));
}

function pickNs(name: AlgorithmName, count: number): Spread {
  const algorithm = ALGORITHMS[name]({ rng: xorshift(RNG_SEED) });
  const candidates = Array.from({ length: count }, (_, i) => candidate(i));
  const underWay: LiveCandidate[] = [];
  let nowMs = 0;
  const pickOne = (): void => {
    nowMs += 0.02;
    const picked = algorithm.pick(candidates, { nowMs, isNewSession: true }, NONE_TRIED)!;
    picked.live.inFlight++;
    picked.live.placed++;
    algorithm.onSend?.(picked, nowMs);
    underWay.push(picked);
    if (underWay.length <= IN_FLIGHT) return;
    const answered = underWay.shift()!;
    answered.live.inFlight--;
    algorithm.onResponse?.(answered, 'ok', 5, nowMs);
  };
  const run = (): number => {
    let picks = 0;
    const sinceMs = performance.now();
    let elapsedMs = 0;
    while (elapsedMs < SAMPLE_MS) {
      for (let i = 0; i < 64; i++) pickOne();
      picks += 64;
      elapsedMs = performance.now() - sinceMs;
    }
    return (elapsedMs * 1e6) / picks;
  };
  run();
  return spreadOf(Array.from({ length: SAMPLES }, run))!;
}

function candidate(number: number): LiveCandidate {
  return {
    id: parseNodeId(`n${number + 1}`)!,
    weight: 1,
    cores: 4,
    upAtMs: Number.NEGATIVE_INFINITY,
    live: {
      inFlight: 0,
      load: (number % 10) / 20,
      loadAtMs: 0,
      sessions: number % 50,
      placed: 0,
      latencyMs: 5,
      share: 1,
    },
  };
}

/** Random enough, and cheap beside what is measured. @see Marsaglia, "Xorshift RNGs" (2003) */
function xorshift(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
