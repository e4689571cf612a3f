/**
 * The one interface of everything that chooses a node. An algorithm sees only eligible candidates and only chooses;
 * who is eligible was decided before (`isEligible`). One instance serves one balancer and context for as long as the
 * balancer keeps its settings; a change of membership leaves survivors' state alone.
 */
import type { NodeId } from '@rollcall/protocol';
import type { Rng } from '../rng.ts';

/** Numbers of one node that change in place, also between snapshots. One object per node and worker. */
export interface LiveNumbers {
  /** Requests this worker has in flight at the node. */
  inFlight: number;
  /** Last reported load 0 … 1, NaN when never reported. */
  load: number;
  /** Instant of that report. */
  loadAtMs: number;
  /** Active sessions as last told, NaN when unknown. */
  sessions: number;
  /** New sessions this worker has placed there since that count. */
  placed: number;
  /** Smoothed milliseconds to the first response byte, NaN before the first. */
  latencyMs: number;
}

/** What an algorithm may know of a node. Everything but `live` is fixed for the life of a snapshot. */
export interface Candidate {
  readonly id: NodeId;
  readonly weight: number;
  readonly cores: number;
  /** Instant the node came up, for slow start. */
  readonly upAtMs: number;
  readonly live: Readonly<LiveNumbers>;
}

/** One request to choose for. */
export interface PickRequest {
  readonly nowMs: number;
  /** True when the request opens a new session that will stay on the node. */
  readonly isNewSession: boolean;
}

/** How an attempt ended, for algorithms that learn. `client` means the node is not to blame. */
export type AttemptOutcome = 'ok' | 'server-error' | 'failed' | 'client';

export interface Algorithm {
  readonly name: string;
  /** Chooses among `candidates` one that is not in `tried`, or `undefined` when none is left. Never throws, never loops without bound. */
  pick<C extends Candidate>(candidates: readonly C[], request: PickRequest, tried: ReadonlySet<NodeId>): C | undefined;
  onSend?(candidate: Candidate, nowMs: number): void;
  onResponse?(candidate: Candidate, outcome: AttemptOutcome, latencyMs: number, nowMs: number): void;
  /** Membership changed: forget who is no longer there, keep all else. */
  onMembership?(candidates: readonly Candidate[]): void;
  /** Score of one candidate for `explain`, lower is better. */
  score?(candidate: Candidate, request: PickRequest): number;
}

export type AlgorithmFactory = (options: { readonly rng: Rng }) => Algorithm;
