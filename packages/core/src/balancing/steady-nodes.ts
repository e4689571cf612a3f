/** Smoothed values of nodes, by which sessions are placed: sessions stay for long, so short changes must not decide. */
import type { NodeId } from '@rollcall/protocol';
import type { Candidate } from './algorithm.ts';
import { perOwn } from './service-estimate.ts';

/** Times over which load and cost are smoothed. */
const LOAD_MS = 10_000;
const COST_MS = 3_000;

/** The smoothed values of one node. */
export interface Steady {
  /** Smoothed logarithm of its cost. */
  logCost: number;
  /** Smoothed load, NaN before it was known. */
  load: number;
  /** Sessions, smoothed as the load is: the sessions that the smoothed load includes. */
  sessions: number;
  /** Answers at `atMs`. */
  answers: number;
  /** Instants of the first and of the last update. */
  readonly sinceMs: number;
  atMs: number;
}

/** The present values of a node. */
interface Seen {
  readonly costMs: number;
  /** Answers so far. */
  readonly answers: number;
  /** True if some node reports its load; otherwise service time by answers is used instead. */
  readonly isTold: boolean;
}

export class SteadyNodes {
  readonly #byNode = new Map<NodeId, Steady>();

  /** Forgets all nodes but these. */
  retain(candidates: readonly Candidate[]): void {
    const present = new Set(candidates.map(({ id }) => id));
    for (const id of this.#byNode.keys()) if (!present.has(id)) this.#byNode.delete(id);
  }

  /** Updates the smoothed values of a node. */
  of({ id, live, cores }: Candidate, { costMs, answers, isTold }: Seen, nowMs: number): Steady {
    const logCost = Math.log(costMs);
    const sessions = sessionsOf(live);
    const known = this.#byNode.get(id);
    if (known === undefined) {
      const load = isTold ? Math.min(1, live.load) : Number.NaN;
      const steady = { logCost, load, sessions, answers, sinceMs: nowMs, atMs: nowMs };
      this.#byNode.set(id, steady);
      return steady;
    }
    const passedMs = nowMs - known.atMs;
    if (!(passedMs > 0)) return known;
    const knownMs = known.atMs - known.sinceMs;
    known.logCost += smoothing(passedMs, Math.min(knownMs, COST_MS)) * (logCost - known.logCost);
    const load = isTold
      ? Math.min(1, live.load)
      : ((answers - known.answers) * perOwn(live.share) * costMs) / (passedMs * cores);
    const weight = known.load >= 0 ? smoothing(passedMs, Math.min(knownMs, LOAD_MS)) : 1;
    if (load >= 0) {
      known.load = weight === 1 ? load : known.load + weight * (load - known.load);
      known.sessions += weight * (sessions - known.sessions);
    } else known.sessions = sessions;
    known.answers = answers;
    known.atMs = nowMs;
    return known;
  }
}

/** Weight of the present value against the smoothed one of `passedMs` ago, for smoothing over `overMs`. */
export function smoothing(passedMs: number, overMs: number): number {
  return passedMs < Number.POSITIVE_INFINITY ? passedMs / (passedMs + overMs) : 1;
}

/**
 * Sessions as reported, with the sessions placed since; an unknown number counts as 0. Other workers are assumed to have
 * placed as many as this one, by their shares.
 */
export function sessionsOf({ sessions, placed, share }: Candidate['live']): number {
  const known = sessions >= 0 ? Math.min(sessions, Number.MAX_SAFE_INTEGER) : 0;
  return known + (placed >= 0 ? Math.min(placed * (sessions >= 0 ? perOwn(share) : 1), Number.MAX_SAFE_INTEGER) : 0);
}
