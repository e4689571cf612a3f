/**
 * What one algorithm has learned of the nodes from its own requests: busy time per request and share of errors.
 */
import type { NodeId } from '@rollcall/protocol';
import type { AttemptOutcome, Candidate } from './algorithm.ts';

/** Weight of the newest sample. Larger follows faster and trembles more. */
const ALPHA = 0.1;
/** A node with fewer samples than this is taken for an average one, in proportion. */
const FULL_SAMPLES = 8;
/** Differences below this many milliseconds are noise of the machine, not of the node. */
const MIN_SERVICE_MS = 1;
const MAX_SERVICE_MS = 3_600_000;
/** How much an error counts: a node that only fails scores 21 times worse. */
const ERROR_PENALTY = 20;

interface Estimate {
  serviceMs: number;
  samples: number;
  errorRatio: number;
}

export class ServiceEstimates {
  readonly #byNode = new Map<NodeId, Estimate>();
  /** Smoothed service time over all nodes' answers: what a new node is taken for. */
  #typicalMs = MIN_SERVICE_MS;
  #samples = 0;

  /**
   * An attempt is over. Service time is latency shared among the requests that were in flight with it, this one
   * included. Failures teach nothing about service time: a node that fails fast is not a fast node.
   */
  learn({ id, live }: Candidate, outcome: AttemptOutcome, latencyMs: number): void {
    if (outcome === 'client') return;
    const estimate = this.#of(id);
    estimate.errorRatio += ALPHA * ((outcome === 'ok' ? 0 : 1) - estimate.errorRatio);
    if (outcome !== 'ok' || !(latencyMs >= 0)) return;
    const sampleMs = clamp(latencyMs / Math.max(1, live.inFlight), MIN_SERVICE_MS, MAX_SERVICE_MS);
    estimate.serviceMs += smoothing(estimate.samples++) * (sampleMs - estimate.serviceMs);
    this.#typicalMs += smoothing(this.#samples++) * (sampleMs - this.#typicalMs);
  }

  /** Busy milliseconds per request, errors counted in; above 0, finite; lower is better. */
  costMs(id: NodeId): number {
    const estimate = this.#byNode.get(id);
    if (estimate === undefined) return this.#typicalMs;
    const trust = Math.min(1, estimate.samples / FULL_SAMPLES);
    const serviceMs = this.#typicalMs + trust * (estimate.serviceMs - this.#typicalMs);
    return serviceMs * (1 + ERROR_PENALTY * estimate.errorRatio);
  }

  /** Forgets all nodes but these. */
  retain(candidates: readonly Candidate[]): void {
    const present = new Set(candidates.map(({ id }) => id));
    for (const id of this.#byNode.keys()) if (!present.has(id)) this.#byNode.delete(id);
  }

  #of(id: NodeId): Estimate {
    const known = this.#byNode.get(id);
    if (known) return known;
    const estimate = { serviceMs: 0, samples: 0, errorRatio: 0 };
    this.#byNode.set(id, estimate);
    return estimate;
  }
}

/** A plain mean until there are enough samples for the moving one. */
function smoothing(samplesBefore: number): number {
  return Math.max(ALPHA, 1 / (samplesBefore + 1));
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
