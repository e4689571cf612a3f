import {
  isAdmitted,
  mayEject,
  type Observation,
  type OutlierCause,
  type OutlierWatch,
  observe,
  type SeenAnswer,
} from '@rollcall/core';
import type { EjectionCause } from '@rollcall/feed';
import type { NodeId } from '@rollcall/protocol';
import { countsAgainstNode, type Failure } from '../engine/failure.ts';
import type { ClusterNode } from './cluster-node.ts';
import type { ClusterView } from './cluster-view.ts';

/** Reported to the coordinator, for events and pages. */
export type ObservedListener = (
  id: NodeId,
  what: 'ejected' | 'readmitted',
  reason: string,
  cause?: EjectionCause,
) => void;

const FREE = { mayEject: true };
const HELD = { mayEject: false };

/** Applies observations of nodes to their ejection, which affects only new work. */
export class Ejections {
  readonly #view: ClusterView;
  readonly #onObserved: ObservedListener;
  readonly #failedAtMs = new WeakMap<ClusterNode, number>();
  readonly #failure: { -readonly [K in keyof SeenAnswer]: SeenAnswer[K] } = {
    isError: true,
    isBound: false,
    latencyMs: Number.NaN,
  };

  constructor(view: ClusterView, onObserved: ObservedListener) {
    this.#view = view;
    this.#onObserved = onObserved;
  }

  /** Applies an observation of `node`. Without an effect it costs nothing. */
  observe(
    node: ClusterNode,
    observation: Observation,
    nowMs: number,
    reason = '',
    cause: EjectionCause = 'failures',
  ): void {
    const before = node.ejection;
    const after = observe(before, observation, nowMs, observation === 'outlier' ? this.#allowance(node) : FREE);
    if (after === before) return;
    node.ejection = after;
    if (after.phase === 'ejected' && before.phase === 'in') node.ejectionReason = reason;
    if (node.isGone || isAdmitted(after) === isAdmitted(before)) return;
    this.#view.refresh(node, nowMs);
    if (after.phase === 'ejected' && before.phase === 'in') this.#onObserved(node.id, 'ejected', reason, cause);
    else if (after.phase === 'in') this.#onObserved(node.id, 'readmitted', 'it answers again');
  }

  /** A response head was received. `watch` is that of the node's balancer. */
  answered(node: ClusterNode, answer: SeenAnswer, watch: OutlierWatch<ClusterNode>, nowMs: number): void {
    this.observe(node, answer.isError ? 'failed' : 'answered', nowMs);
    this.#judge(node, answer, watch, nowMs);
  }

  /** A request failed at `atMs`. Failures that are found by one sweep of deadlines have the same instant and count as one. */
  failed(node: ClusterNode, failure: Failure, isBound: boolean, watch: OutlierWatch<ClusterNode>, atMs: number): void {
    if (!countsAgainstNode(failure) || this.#failedAtMs.get(node) === atMs) return;
    this.#failedAtMs.set(node, atMs);
    this.observe(node, 'failed', atMs, failure.how);
    this.#failure.isBound = isBound;
    this.#judge(node, this.#failure, watch, atMs);
  }

  #judge(node: ClusterNode, answer: SeenAnswer, watch: OutlierWatch<ClusterNode>, nowMs: number): void {
    const cause = watch.see(node, answer, nowMs);
    if (cause === undefined || node.ejection.phase !== 'in') return;
    this.observe(node, 'outlier', nowMs, REASONS[cause], cause);
    // Its failures are reset: it is ejected, or no other node can replace it.
    watch.forget(node);
  }

  /** The balancer's nodes are counted only for observations that may eject. */
  #allowance(node: ClusterNode): { readonly mayEject: boolean } {
    const { known, ejected } = this.#view.ejectedShare(node.balancer);
    return mayEject(ejected, known) ? FREE : HELD;
  }
}

const REASONS: Readonly<Record<OutlierCause, string>> = {
  errors: 'requests to it fail or answer with errors where the other nodes do not',
  slow: 'it takes ten times as long as the other nodes and more',
};
