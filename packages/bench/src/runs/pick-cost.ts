/** Cost of one pick, in isolation. */
import { ALGORITHMS, type AlgorithmName, type Candidate, type LiveNumbers, seededRng } from '@rollcall/core';
import { type NodeId, parseNodeId } from '@rollcall/protocol';
import { type Spread, spreadOf } from '../numbers/spread.ts';

export interface PickCost {
  readonly algorithm: string;
  readonly candidates: number;
  /** Time of a pick and of the updates when the request is sent and answered, nanoseconds. */
  readonly ns: Spread;
}

const SAMPLES = 7;
const SAMPLE_MS = 60;
const NONE_TRIED: ReadonlySet<NodeId> = new Set();
const RNG_SEED = 0x2545f491;
/** Requests in flight, as on a busy site. */
const IN_FLIGHT = 64;

type LiveCandidate = Candidate & { readonly live: LiveNumbers };

/** Measures every algorithm with `count` candidates, each for about half a second. */
export function measurePicks(count: number): readonly PickCost[] {
  return (Object.keys(ALGORITHMS) as AlgorithmName[]).map((algorithm) => ({
    algorithm,
    candidates: count,
    ns: pickNs(algorithm, count),
  }));
}

function pickNs(name: AlgorithmName, count: number): Spread {
  const algorithm = ALGORITHMS[name]({ rng: seededRng(RNG_SEED) });
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
