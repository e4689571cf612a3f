import {
  type EjectionState,
  isAdmitted,
  mayEject,
  type Observation,
  type OutlierCause,
  type OutlierWatch,
  observe,
  type SeenAnswer,
} from '@rollcall/core';
import type { NodeId } from '@rollcall/protocol';
import type { ClusterNode } from './cluster-node.ts';
import type { ClusterView } from './cluster-view.ts';

/** Told to the coordinator, for events and pages. */
export type ObservedListener = (id: NodeId, what: 'ejected' | 'readmitted', reason: string) => void;

/** Who asks ejected nodes whether they are back. */
export interface ProbeSchedule {
  /** Probe at `atMs`, or earlier when a probe is already due. */
  scheduleAt(node: ClusterNode, atMs: number): void;
}

const FREE = { mayEject: true };
const HELD = { mayEject: false };

/** Applies what is seen of nodes to their ejection, and what follows from it to the cluster. */
export class Ejections {
  readonly #view: ClusterView;
  readonly #onObserved: ObservedListener;
  readonly #onAdmitted: () => void;
  #probes: ProbeSchedule | undefined;
  #outlierCause: OutlierCause = 'errors';

  /** `onAdmitted`: requests that wait may find a node now. */
  constructor(view: ClusterView, onObserved: ObservedListener, onAdmitted: () => void) {
    this.#view = view;
    this.#onObserved = onObserved;
    this.#onAdmitted = onAdmitted;
  }

  set probes(probes: ProbeSchedule) {
    this.#probes = probes;
  }

  /** Something was seen of `node`. Costs nothing when it changes nothing. */
  observe(node: ClusterNode, observation: Observation, nowMs: number): void {
    const before = node.ejection;
    const { isEjected, isOutlier } = node;
    const after = observe(before, observation, nowMs, this.#allowance(node, observation));
    if (after === before) return;
    node.ejection = after;
    if (node.isGone) return;
    if (after.phase === 'ejected' && after !== before) this.#probes?.scheduleAt(node, after.sinceOrUntilMs);
    if (node.isEjected !== isEjected || node.isOutlier !== isOutlier) this.#view.updateStanding(node);
    if (isAdmitted(after) && !isAdmitted(before)) this.#onAdmitted();
    this.#tell(node, before, after, observation);
  }

  /** A response head came. `watch` is that of the node's balancer. */
  answered(node: ClusterNode, answer: SeenAnswer, watch: OutlierWatch<ClusterNode>, nowMs: number): void {
    this.observe(node, answer.isError ? 'erred' : 'answered', nowMs);
    const cause = watch.see(node, answer, nowMs);
    if (cause === undefined || node.ejection.phase !== 'in') return;
    this.#outlierCause = cause;
    this.observe(node, 'outlier', nowMs);
    // What it has done is paid for by being out, or nobody else is there to do better.
    watch.forget(node);
  }

  /** Counting the balancer's nodes is left to observations that may eject. */
  #allowance(node: ClusterNode, observation: Observation): { readonly mayEject: boolean } {
    if (observation !== 'failed' && observation !== 'unreachable' && observation !== 'outlier') return FREE;
    const { known, ejected } = this.#view.ejectedShare(node.balancer);
    return mayEject(ejected, known) ? FREE : HELD;
  }

  #tell(node: ClusterNode, before: EjectionState, after: EjectionState, observation: Observation): void {
    if (after.phase === 'ejected' && before.phase !== 'ejected')
      this.#onObserved(node.id, 'ejected', this.#reason(observation));
    else if (after.phase === 'in' && before.phase !== 'in') this.#onObserved(node.id, 'readmitted', 'it answers again');
  }

  #reason(observation: Observation): string {
    if (observation === 'outlier') return OUTLIER_REASONS[this.#outlierCause];
    return REASONS[observation] ?? 'requests to it failed';
  }
}

const OUTLIER_REASONS: Readonly<Record<OutlierCause, string>> = {
  errors: 'it answers with errors where the others do not',
  slow: 'it takes ten times as long as the others and more',
};

const REASONS: Partial<Record<Observation, string>> = {
  refused: 'it refuses connections',
  unreachable: 'it takes no connections',
  'probe-bad': 'it takes no connections and its heartbeats stopped',
  failed: 'requests to it failed one after the other',
};
