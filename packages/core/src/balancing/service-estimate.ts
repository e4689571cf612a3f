/**
 * Estimates of one algorithm about the nodes: busy time per request, requests of other workers, share of errors. They come
 * from the nodes' reports beside their answers, or from latencies if there are no such reports.
 */
import type { NodeId } from '@rollcall/protocol';
import type { AttemptOutcome, Candidate, NodeReport } from './algorithm.ts';

/** Weight of the newest service time. Larger follows faster and varies more. */
const SERVICE_ALPHA = 0.06;
/** Weight of the newest report on other workers' requests. With many workers, larger sends all of them to one node. */
const OTHERS_ALPHA = 0.1;
/** Weight of the newest outcome in the share of errors. */
const ERROR_ALPHA = 0.1;
/** A node with fewer samples than this counts as an average one, in proportion. */
const FULL_SAMPLES = 8;
/** Lower bound of reported service times. */
const MIN_SERVICE_MS = 0.01;
/** Differences below this many milliseconds of a latency are noise of the machine, not of the node. */
const MIN_LATENCY_MS = 1;
const MAX_SERVICE_MS = 3_600_000;
const MAX_IN_FLIGHT = 1_000_000;
/** How much an error counts: a node that only fails scores 21 times worse. */
const ERROR_PENALTY = 20;
/** An error counts half after this time, a third after twice as long, so that a node that has recovered is tried again. */
const ERROR_FADE_MS = 10_000;
/** From this share of errors on a node's reported service time is ignored. */
const MAX_LEARNING_ERRORS = 0.15;
/** A service time older than this counts gradually less, so that a node that was blocked is not avoided until the next request to it. */
const FRESH_MS = 2_000;
/** How long a report beside an answer is new. In this time a report through the coordinator does not count. */
const NEWS_MS = 1_000;

/** The estimates for one node. */
export interface Estimate {
  /** Geometric mean: one long request changes it little. */
  serviceMs: number;
  /** Its logarithm, which is the smoothed value. */
  logServiceMs: number;
  samples: number;
  errorRatio: number;
  /** Instant of the last answer, to fade errors. */
  answeredAtMs: number;
  /** Requests of other workers at the node, smoothed. */
  others: number;
  /** Instant of the last report on these, -Infinity before the first. */
  othersAtMs: number;
  /** Instant of the node's last report beside an answer, -Infinity before the first. */
  toldAtMs: number;
  /** It reports its service time beside answers, so that latencies are not used. */
  tellsService: boolean;
  /** The last reported service time. */
  toldServiceMs: number;
  /** Instant of the newest service time. */
  servedAtMs: number;
  /** Answers so far, of any kind. */
  answers: number;
  /** Place in the list of candidates, for an algorithm that keeps such a list. */
  place: number;
}

export class ServiceEstimates {
  readonly #byNode = new Map<NodeId, Estimate>();
  /** Smoothed service time over all nodes' answers: the estimate for a new node. */
  #typicalMs = MIN_LATENCY_MS;
  #logTypicalMs = 0;
  /** The logarithm has changed since: the value is computed on demand. */
  #isTypicalDue = false;
  #samples = 0;

  /**
   * Records the end of an attempt. Without reports of the node, service time is the latency divided by the requests that were
   * in flight with it, this one included. Failures do not change the service time: a node that fails fast is not a fast node.
   * Returns the estimate for the node.
   */
  learn(candidate: Candidate, outcome: AttemptOutcome, latencyMs: number, nowMs: number): Estimate {
    const estimate = this.of(candidate.id);
    if (outcome === 'client') return estimate;
    estimate.answers++;
    const before = fadedErrors(estimate, nowMs);
    estimate.errorRatio = before + ERROR_ALPHA * ((outcome === 'ok' ? 0 : 1) - before);
    estimate.answeredAtMs = nowMs;
    if (outcome !== 'ok' || !(latencyMs >= 0) || estimate.tellsService) return estimate;
    const serviceMs = Math.max(MIN_LATENCY_MS, latencyMs / Math.max(1, candidate.live.inFlight));
    if (serviceMs <= MAX_SERVICE_MS) this.#served(estimate, serviceMs, nowMs);
    return estimate;
  }

  /** Takes a node's report. A number that it does not contain changes nothing. */
  hear({ id, live }: Candidate, report: NodeReport, nowMs: number): void {
    const estimate = this.of(id);
    if (report.isBesideAnswer) estimate.toldAtMs = nowMs;
    else if (nowMs - estimate.toldAtMs < NEWS_MS) return;
    const { inFlight, serviceMs } = report;
    if (inFlight >= 0 && live.inFlight >= 0) {
      const others = Math.min(MAX_IN_FLIGHT, Math.max(0, inFlight - live.inFlight));
      const known = othersNow(estimate, nowMs);
      estimate.others = known + OTHERS_ALPHA * (others - known);
      estimate.othersAtMs = nowMs;
    }
    // The time of errors is not that of requests: a node that fails fast is not a fast node.
    const isServing = fadedErrors(estimate, nowMs) < MAX_LEARNING_ERRORS;
    // Reports through the coordinator are seconds old: without reports beside answers, latencies are better. A repeated value is of no new request.
    const isNews =
      report.isBesideAnswer ||
      (serviceMs !== estimate.toldServiceMs && (estimate.tellsService || estimate.samples === 0));
    estimate.toldServiceMs = serviceMs;
    if (serviceMs > 0 && serviceMs <= MAX_SERVICE_MS && isServing && isNews) {
      if (report.isBesideAnswer) {
        if (!estimate.tellsService) estimate.samples = 0;
        estimate.tellsService = true;
      }
      this.#served(estimate, Math.max(MIN_SERVICE_MS, serviceMs), nowMs);
    }
  }

  /** Busy milliseconds per request, errors counted in; above 0, finite; lower is better. */
  costOf(estimate: Estimate, nowMs: number): number {
    let { serviceMs } = estimate;
    if (estimate.samples < FULL_SAMPLES) {
      const typicalMs = this.#typical();
      serviceMs = typicalMs + (estimate.samples / FULL_SAMPLES) * (serviceMs - typicalMs);
    }
    const ageMs = nowMs - estimate.servedAtMs;
    if (ageMs > FRESH_MS && serviceMs > 0) {
      const typicalMs = this.#typical();
      serviceMs = typicalMs * (serviceMs / typicalMs) ** (FRESH_MS / ageMs);
    }
    const errors = fadedErrors(estimate, nowMs);
    if (errors === 0) return serviceMs;
    // The more of its answers are errors, the less its advantage in speed counts.
    const doubt = Math.min(1, 2 * errors) * Math.max(0, this.#typical() - serviceMs);
    return (serviceMs + doubt) * (1 + ERROR_PENALTY * errors);
  }

  /** Forgets all nodes but these. */
  retain(candidates: readonly Candidate[]): void {
    const present = new Set(candidates.map(({ id }) => id));
    for (const id of this.#byNode.keys()) if (!present.has(id)) this.#byNode.delete(id);
  }

  /** The estimate for a node: the same object until the node is forgotten. */
  of(id: NodeId): Estimate {
    const known = this.#byNode.get(id);
    if (known) return known;
    const estimate = {
      serviceMs: 0,
      logServiceMs: 0,
      samples: 0,
      errorRatio: 0,
      answeredAtMs: 0,
      others: 0,
      othersAtMs: Number.NEGATIVE_INFINITY,
      toldAtMs: Number.NEGATIVE_INFINITY,
      tellsService: false,
      toldServiceMs: Number.NaN,
      servedAtMs: Number.NEGATIVE_INFINITY,
      answers: 0,
      place: -1,
    };
    this.#byNode.set(id, estimate);
    return estimate;
  }

  #typical(): number {
    if (this.#isTypicalDue) this.#typicalMs = Math.exp(this.#logTypicalMs);
    this.#isTypicalDue = false;
    return this.#typicalMs;
  }

  #served(estimate: Estimate, sampleMs: number, nowMs: number): void {
    estimate.servedAtMs = nowMs;
    const log = Math.log(sampleMs);
    estimate.logServiceMs += smoothing(estimate.samples++) * (log - estimate.logServiceMs);
    estimate.serviceMs = Math.exp(estimate.logServiceMs);
    this.#logTypicalMs += smoothing(this.#samples++) * (log - this.#logTypicalMs);
    this.#isTypicalDue = true;
  }
}

/** Requests of other workers at the node; a report older than a second counts less with its age. */
export function othersNow({ others, othersAtMs }: Estimate, nowMs: number): number {
  const ageMs = nowMs - othersAtMs;
  return ageMs > NEWS_MS ? (others * NEWS_MS) / ageMs : others;
}

/** Requests of all workers per request of this worker, by its share; 1 while the share is unknown. */
export function perOwn(share: number): number {
  return share > 0 && share <= 1 ? 1 / share : 1;
}

/** Estimated requests at a node, per core: its own, multiplied by `perOwn`, and the reported requests of others. */
export function queueOf({ live, cores }: Candidate, estimate: Estimate, nowMs: number): number {
  return (live.inFlight * perOwn(live.share) + othersNow(estimate, nowMs)) / cores;
}

/**
 * The wait of a request behind `queue` requests, itself included, without unit: `costMs × queue^1.5`. The one formula for all comparisons.
 *
 * A lower power waits longer for a fast node before it takes a slow one.
 *
 * @see C3 (Suresh et al., NSDI 2015) for the product of service time and a power of the queue, there the third.
 */
export function waitOf(costMs: number, queue: number): number {
  return costMs * queue * Math.sqrt(queue);
}

function fadedErrors({ errorRatio, answeredAtMs }: Estimate, nowMs: number): number {
  if (errorRatio === 0) return 0;
  const ageMs = nowMs - answeredAtMs;
  return ageMs > 0 ? errorRatio / (1 + ageMs / ERROR_FADE_MS) : errorRatio;
}

/** A plain mean until there are enough samples for the moving one. */
function smoothing(samplesBefore: number): number {
  return Math.max(SERVICE_ALPHA, 1 / (samplesBefore + 1));
}
