/**
 * The one interface of everything that chooses a node. An algorithm sees only eligible candidates and only chooses;
 * who is eligible was decided before (`isEligible`). One instance serves one balancer and context for as long as the
 * balancer keeps its settings; a change of membership leaves survivors' state alone.
 */
import type { NodeId } from '@rollcall/protocol';
import type { Rng } from '../rng.ts';
import type { LoadField } from './load-field.ts';

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
  /** Part of the node's requests that come through this worker, above 0 up to 1; 1 until told otherwise. */
  share: number;
}

/** Of a node that is idle and has told nothing yet. */
export function newLiveNumbers(): LiveNumbers {
  return {
    inFlight: 0,
    load: Number.NaN,
    loadAtMs: Number.NEGATIVE_INFINITY,
    sessions: Number.NaN,
    placed: 0,
    latencyMs: Number.NaN,
    share: 1,
  };
}

/** What a node has told of itself. NaN stands for what it has not told. */
export interface NodeReport extends LoadField {
  /** It came beside an answer to this worker, and not by way of the coordinator: as new as can be. */
  readonly isBesideAnswer: boolean;
}

/** What an algorithm may know of a node. Everything but `live` is fixed for the life of a snapshot. */
export interface Candidate {
  readonly id: NodeId;
  readonly weight: number;
  readonly cores: number;
  /** Instant the node came up, for slow start. */
  readonly upAtMs: number;
  /** How many times as long its slow start lasts; absent: 1. Larger is slower. */
  readonly rampFactor?: number;
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
  /** A node has told of itself. Beside an answer it comes before `onResponse`, while that request still counts in `live.inFlight`. */
  onReport?(candidate: Candidate, report: NodeReport, nowMs: number): void;
  /** Membership changed: forget who is no longer there, keep all else. */
  onMembership?(candidates: readonly Candidate[]): void;
  /**
   * What a request would have to wait at a candidate, in a unit of the algorithm's own, above 0; higher is busier. Of those
   * that have it the sessions that are movable can leave a hot node.
   */
  heat?(candidate: Candidate, nowMs: number): number;
  /** Score of one candidate for `explain`, lower is better. Changes no later pick. */
  score?(candidate: Candidate, request: PickRequest): number;
}

export type AlgorithmFactory = (options: { readonly rng: Rng }) => Algorithm;
