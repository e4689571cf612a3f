/**
 * The interface of all algorithms that choose a node. An algorithm receives only eligible candidates and only chooses;
 * eligibility was decided before (`isEligible`). One instance serves one balancer and context for as long as the balancer
 * keeps its settings. A change of membership keeps the state of the remaining nodes.
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
  /** Active sessions as last reported, NaN when unknown. */
  sessions: number;
  /** New sessions this worker has placed there since that count. */
  placed: number;
  /** Smoothed milliseconds to the first response byte, NaN before the first. */
  latencyMs: number;
  /** Part of the node's requests that come through this worker, above 0 up to 1; 1 until another value is received. */
  share: number;
}

/** Numbers of an idle node without reports. */
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

/** A node's report on itself. NaN stands for a value that it did not report. */
export interface NodeReport extends LoadField {
  /** It came beside an answer to this worker, not through the coordinator: it is as new as possible. */
  readonly isBesideAnswer: boolean;
}

/** The facts about a node that an algorithm may use. All fields but `live` are fixed for the life of a snapshot. */
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
  /** Receives the comparison of this pick; set only while an operator watches. */
  readonly trace?: PickTrace | undefined;
}

/**
 * Receives what a pick compares, before the pick is counted. Among the compared candidates the picked one has the lowest score, alone or
 * together with others. A pick among fewer than two candidates compares nothing.
 */
export interface PickTrace {
  /** `score`: as compared, lower is better. `why`: what puts the candidate behind others beside its numbers; `''` for nothing. */
  compared(candidate: Candidate, score: number, why?: string): void;
  /** This pick did not compare the candidate; `why` follows the id of the node. */
  leftOut(candidate: Candidate, why: string): void;
}

/** How an attempt ended, for algorithms that learn. `client`: the node did not cause the end. */
export type AttemptOutcome = 'ok' | 'server-error' | 'failed' | 'client';

export interface Algorithm {
  readonly name: string;
  /** Chooses among `candidates` one that is not in `tried`, or `undefined` when none is left. Never throws, never loops without bound. */
  pick<C extends Candidate>(candidates: readonly C[], request: PickRequest, tried: ReadonlySet<NodeId>): C | undefined;
  onSend?(candidate: Candidate, nowMs: number): void;
  onResponse?(candidate: Candidate, outcome: AttemptOutcome, latencyMs: number, nowMs: number): void;
  /** A node has sent a report. Beside an answer it comes before `onResponse`, while that request still counts in `live.inFlight`. */
  onReport?(candidate: Candidate, report: NodeReport, nowMs: number): void;
  /** Membership changed: forget nodes that are no longer present, keep all others. */
  onMembership?(candidates: readonly Candidate[]): void;
  /**
   * The wait of a request at a candidate, in a unit of the algorithm's own, above 0; higher is busier. With this method,
   * movable sessions can leave an overloaded node.
   */
  wait?(candidate: Candidate, nowMs: number): number;
  /** Score of one candidate for `explain`, lower is better. Changes no later pick. */
  score?(candidate: Candidate, request: PickRequest): number;
  /** What puts the candidate behind others in its score, beside its numbers; `''` for nothing. */
  scoreReason?(candidate: Candidate, request: PickRequest): string;
}

export type AlgorithmFactory = (options: { readonly rng: Rng }) => Algorithm;
