/**
 * Requests and errors of each node over about the last minute, by all workers together. Counts decay exponentially, as in traffic.ts. And
 * ejections of each node by the workers.
 */
import type { EjectionCause } from '@rollcall/feed';
import type { NodeId } from '@rollcall/protocol';
import { addCounts } from './answer-totals.ts';

/** Decay time, milliseconds: after it a request weighs 1/e. */
export const FADE_MS = 30_000;
/** Ejections of this time are counted, milliseconds. */
const COUNTED_MS = 600_000;
/** Ejections with less time between them are one episode, milliseconds: it comes back for a trial and fails again. */
const EPISODE_MS = 60_000;
/** Ejections of a node that are kept. */
const MAX_KEPT = 100;

export interface RecentOutcomes {
  /** Weighted number of requests. */
  readonly requests: number;
  /** Weighted number of failed attempts, and of answers with status 500 and above. */
  readonly errors: number;
  /** Weighted numbers of answers by `LATENCY_BOUNDS_MS`; zeros at the end may be missing. Absent from workers of earlier releases. */
  readonly latencies?: readonly number[];
}

/** 0 … 1: an attempt that failed may be one of several for a request. */
export function errorRatio({ requests, errors }: RecentOutcomes): number {
  return requests <= 0 ? 0 : Math.min(1, errors / requests);
}

export interface EjectionView {
  /** As the worker has reported the last one. */
  readonly reason: string;
  /** Start of the present episode. */
  readonly sinceMs: number;
  /** Instant of the last one. */
  readonly lastMs: number;
  /** Ejections within the last ten minutes. */
  readonly count: number;
}

interface Outcomes {
  readonly requests: number;
  readonly errors: number;
  readonly latencies: readonly number[];
  readonly atMs: number;
}

interface Ejections {
  reason: string;
  sinceMs: number;
  /** Oldest first. */
  atMs: readonly number[];
}

const NO_EJECTIONS = {};
const NONE: RecentOutcomes = { requests: 0, errors: 0 };

export class NodeOutcomes {
  readonly #recent = new Map<NodeId, Outcomes>();
  readonly #ejections = new Map<NodeId, Ejections>();
  readonly #totals = new Map<NodeId, Partial<Record<EjectionCause, number>>>();

  add(id: NodeId, { requests, errors, latencies = [] }: RecentOutcomes, nowMs: number): void {
    if (!(requests > 0) && !(errors > 0) && !latencies.some((count) => count > 0)) return;
    const before = this.recent(id, nowMs);
    const faded = [...this.latencies(id, nowMs)];
    addCounts(faded, latencies, undefined);
    this.#recent.set(id, {
      requests: before.requests + requests,
      errors: before.errors + errors,
      latencies: faded,
      atMs: nowMs,
    });
  }

  recent(id: NodeId, nowMs: number): RecentOutcomes {
    const known = this.#recent.get(id);
    if (known === undefined) return NONE;
    const part = Math.exp(-Math.max(0, nowMs - known.atMs) / FADE_MS);
    return { requests: known.requests * part, errors: known.errors * part };
  }

  /** Weighted numbers of answers by latency, in the order of `LATENCY_BOUNDS_MS`; zeros at the end may be missing. */
  latencies(id: NodeId, nowMs: number): readonly number[] {
    const known = this.#recent.get(id);
    if (known === undefined) return [];
    const part = Math.exp(-Math.max(0, nowMs - known.atMs) / FADE_MS);
    return known.latencies.map((count) => count * part);
  }

  /** A worker has ejected the node. */
  ejected(id: NodeId, reason: string, cause: EjectionCause | undefined, nowMs: number): void {
    if (cause !== undefined) {
      const totals = this.#totals.get(id) ?? {};
      totals[cause] = (totals[cause] ?? 0) + 1;
      this.#totals.set(id, totals);
    }
    const known = this.#ejections.get(id);
    const lastMs = known?.atMs.at(-1) ?? Number.NEGATIVE_INFINITY;
    this.#ejections.set(id, {
      reason,
      sinceMs: known !== undefined && nowMs - lastMs < EPISODE_MS ? known.sinceMs : nowMs,
      atMs: [...(known?.atMs ?? []).filter((atMs) => nowMs - atMs < COUNTED_MS), nowMs].slice(-MAX_KEPT),
    });
  }

  /** `undefined` without an ejection in the last ten minutes. */
  ejection(id: NodeId, nowMs: number): EjectionView | undefined {
    const known = this.#ejections.get(id);
    const count = known?.atMs.filter((atMs) => nowMs - atMs < COUNTED_MS).length ?? 0;
    if (known === undefined || count === 0) return undefined;
    return { reason: known.reason, sinceMs: known.sinceMs, lastMs: known.atMs.at(-1)!, count };
  }

  /** All ejections of the node by cause; causes without one are absent. */
  ejections(id: NodeId): Readonly<Partial<Record<EjectionCause, number>>> {
    return this.#totals.get(id) ?? NO_EJECTIONS;
  }

  /** The node is another process now: only its totals stay. */
  reset(id: NodeId): void {
    this.#recent.delete(id);
    this.#ejections.delete(id);
  }

  /** The node is not known any more. */
  forget(id: NodeId): void {
    this.reset(id);
    this.#totals.delete(id);
  }
}
