/**
 * What one algorithm has learned of the nodes: busy time per request, requests of other workers, share of errors. From
 * what nodes tell beside their answers where they do, otherwise from latencies.
 */
import type { NodeId } from '@rollcall/protocol';
import type { AttemptOutcome, Candidate, NodeReport } from './algorithm.ts';

/** Weight of the newest service time. Larger follows faster and trembles more. */
const SERVICE_ALPHA = 0.06;
/** Weight of the newest word about other workers' requests. Larger sends all workers to one node when there are many. */
const OTHERS_ALPHA = 0.1;
/** Weight of the newest outcome in the share of errors. */
const ERROR_ALPHA = 0.1;
/** A node with fewer samples than this is taken for an average one, in proportion. */
const FULL_SAMPLES = 8;
/** Shortest service time that is told apart. */
const MIN_SERVICE_MS = 0.01;
/** Differences below this many milliseconds of a latency are noise of the machine, not of the node. */
const MIN_LATENCY_MS = 1;
const MAX_SERVICE_MS = 3_600_000;
const MAX_IN_FLIGHT = 1_000_000;
/** How much an error counts: a node that only fails scores 21 times worse. */
const ERROR_PENALTY = 20;
/** An error counts half after this time, a third after twice as long: who has recovered is tried again. */
const ERROR_FADE_MS = 10_000;
/** Above this share of errors a node's word about its service time is not taken. */
const MAX_LEARNING_ERRORS = 0.15;
/** A service time that is older than this says less and less: a node that stood still must not be shunned until somebody asks it. */
const FRESH_MS = 2_000;
/** What a node has told is news for so long; a report by way of the coordinator counts only when there is none. */
const NEWS_MS = 1_000;

/** What is known of one node. */
export interface Estimate {
  /** Geometric mean: one long request says little about the next. */
  serviceMs: number;
  /** Its logarithm, which is what is smoothed. */
  logServiceMs: number;
  samples: number;
  errorRatio: number;
  /** Instant of the last answer, to fade errors. */
  answeredAtMs: number;
  /** Requests of other workers at the node, smoothed. */
  others: number;
  /** Instant of the last word about these, -Infinity before the first. */
  othersAtMs: number;
  /** Instant the node last told something beside an answer, -Infinity when it never did. */
  toldAtMs: number;
  /** It tells its service time beside answers, so that latencies need not be asked. */
  tellsService: boolean;
  /** The last one it told. */
  toldServiceMs: number;
  /** Instant of the newest service time. */
  servedAtMs: number;
  /** Answers so far, whatever they were. */
  answers: number;
  /** Place in the list of candidates, for the one who keeps such a list. */
  place: number;
}

export class ServiceEstimates {
  readonly #byNode = new Map<NodeId, Estimate>();
  /** Smoothed service time over all nodes' answers: what a new node is taken for. */
  #typicalMs = MIN_LATENCY_MS;
  #logTypicalMs = 0;
  /** The logarithm has changed since: reckoned when somebody asks. */
  #isTypicalDue = false;
  #samples = 0;

  /**
   * An attempt is over. Of a node that does not tell, service time is latency shared among the requests that were in
   * flight with it, this one included. Returns what is known of the node now. Failures teach nothing about service time: a node that fails fast is not a fast
   * node.
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

  /** A node has told of itself. A number it has not told changes nothing. */
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
    // What errors take says nothing of requests: a node that fails fast is not a fast node.
    const isServing = fadedErrors(estimate, nowMs) < MAX_LEARNING_ERRORS;
    // Seconds old, so for a node that answers without a word its latencies say more. One that repeats itself tells of no further request.
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
    // The more of its answers are errors, the less is believed that it is faster than others.
    const doubt = Math.min(1, 2 * errors) * Math.max(0, this.#typical() - serviceMs);
    return (serviceMs + doubt) * (1 + ERROR_PENALTY * errors);
  }

  /** Forgets all nodes but these. */
  retain(candidates: readonly Candidate[]): void {
    const present = new Set(candidates.map(({ id }) => id));
    for (const id of this.#byNode.keys()) if (!present.has(id)) this.#byNode.delete(id);
  }

  /** What is known of a node, from now on one and the same object until it is forgotten. */
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

/** Requests of other workers at the node as far as the last word is worth something: less with every second since. */
export function othersNow({ others, othersAtMs }: Estimate, nowMs: number): number {
  const ageMs = nowMs - othersAtMs;
  return ageMs > NEWS_MS ? (others * NEWS_MS) / ageMs : others;
}

/** How many all workers have for each one of this worker, by its share of the requests; 1 while that is not known. */
export function perOwn(share: number): number {
  return share > 0 && share <= 1 ? 1 / share : 1;
}

/** Requests that are at a node as this worker has to see it: its own for as many workers as there are, and the others'. */
export function queueOf({ live, cores }: Candidate, estimate: Estimate, nowMs: number): number {
  return (live.inFlight * perOwn(live.share) + othersNow(estimate, nowMs)) / cores;
}

/**
 * What a request would have to wait behind `queue` requests, itself counted in, in no unit: one formula for all that compare nodes.
 *
 * @see C3 (Suresh et al., NSDI 2015) for the product of service time and a power of the queue, there the third; a lower
 *   one waits longer for a fast node before it takes a slow one.
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
