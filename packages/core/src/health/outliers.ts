/**
 * Nodes that stand out: failures and errors where the others have none, or answers that take many times as long. One watch for
 * each balancer; its findings are observations `outlier` for the ejection state machine, which bounds how many may be out.
 *
 * A node is compared with the others, so that a common cause (a broken page, an unreachable database) ejects no node. Errors
 * in a row count only for requests that the proxy placed: a client cannot aim these at one node. Of requests that were bound
 * to it by their session, half of all over a minimum have to fail.
 *
 * Counting costs a table look-up and a few additions for each answer; once a second all nodes are visited.
 *
 * @see Envoy's outlier detection (`outlier_detection.proto`) for the kinds; there a node is compared by standard deviations.
 */

/** Errors in a row that make a node stand out. */
const ERRORS_IN_A_ROW = 5;
/** Smallest number of answers at which a share of errors or a latency is judged. */
const MIN_ANSWERS = 20;
const ERROR_RATIO = 0.5;
/** A node stands out by errors when the others have at most this part of its share of them. */
const OTHERS_PART = 0.5;
/** Times the median latency of the others, and milliseconds, that make a node slow. */
const SLOW_RATIO = 10;
const SLOW_MS = 500;
/** Looks in a row at which it has to be slow. */
const SLOW_LOOKS = 3;
const LOOK_MS = 1_000;
/** Part of the counts that remains after a look: a memory of about ten seconds. */
const KEPT = 0.9;
const LATENCY_ALPHA = 0.1;

/** Why a node stands out. */
export type OutlierCause = 'errors' | 'slow';

/** How one request to a node ended: an answer, or a failure that counts against the node. */
export interface SeenAnswer {
  /** A failure, or a status of 500 and above. */
  readonly isError: boolean;
  /** The request's session bound it to the node. */
  readonly isBound: boolean;
  /** Time to the response head, milliseconds; NaN for a failure. */
  readonly latencyMs: number;
}

interface Counts {
  answers: number;
  errors: number;
  /** Of requests that were not bound. */
  errorsInARow: number;
  latencyMs: number;
  slowLooks: number;
}

export class OutlierWatch<N> {
  readonly #counts = new Map<N, Counts>();
  readonly #total = { answers: 0, errors: 0 };
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  /** Counts an answer of `node`; why it stands out now, `undefined` when it does not. */
  see(node: N, { isError, isBound, latencyMs }: SeenAnswer, nowMs: number): OutlierCause | undefined {
    if (!(nowMs - this.#lookedAtMs < LOOK_MS)) this.#look(nowMs);
    const counts = this.#of(node);
    counts.answers++;
    this.#total.answers++;
    if (isError) {
      counts.errors++;
      this.#total.errors++;
      if (!isBound) counts.errorsInARow++;
      return this.#failsAlone(counts) ? 'errors' : undefined;
    }
    counts.errorsInARow = 0;
    if (latencyMs >= 0)
      counts.latencyMs =
        counts.latencyMs >= 0 ? counts.latencyMs + LATENCY_ALPHA * (latencyMs - counts.latencyMs) : latencyMs;
    return counts.slowLooks >= SLOW_LOOKS ? 'slow' : undefined;
  }

  /** Drops the counts of a node that was ejected, is gone, or is another process now. */
  forget(node: N): void {
    const counts = this.#counts.get(node);
    if (counts === undefined) return;
    this.#total.answers -= counts.answers;
    this.#total.errors -= counts.errors;
    this.#counts.delete(node);
  }

  #failsAlone({ answers, errors, errorsInARow }: Counts): boolean {
    const isFailing = errorsInARow >= ERRORS_IN_A_ROW || (answers >= MIN_ANSWERS && errors / answers >= ERROR_RATIO);
    if (!isFailing) return false;
    const others = this.#total.answers - answers;
    return others >= 1 && (this.#total.errors - errors) / others <= (OTHERS_PART * errors) / answers;
  }

  #look(nowMs: number): void {
    this.#lookedAtMs = nowMs;
    const latencies: number[] = [];
    this.#total.answers = 0;
    this.#total.errors = 0;
    for (const counts of this.#counts.values()) {
      if (counts.answers >= MIN_ANSWERS && counts.latencyMs >= 0) latencies.push(counts.latencyMs);
      counts.answers *= KEPT;
      counts.errors *= KEPT;
      this.#total.answers += counts.answers;
      this.#total.errors += counts.errors;
    }
    latencies.sort((a, b) => a - b);
    // Of two the lower one: a node must not be measured by itself.
    const typicalMs = latencies[(latencies.length - 1) >> 1] ?? Number.POSITIVE_INFINITY;
    for (const counts of this.#counts.values()) {
      const isSlow = counts.answers >= MIN_ANSWERS && counts.latencyMs > Math.max(SLOW_MS, SLOW_RATIO * typicalMs);
      counts.slowLooks = isSlow ? counts.slowLooks + 1 : 0;
    }
  }

  #of(node: N): Counts {
    const known = this.#counts.get(node);
    if (known) return known;
    const counts = { answers: 0, errors: 0, errorsInARow: 0, latencyMs: Number.NaN, slowLooks: 0 };
    this.#counts.set(node, counts);
    return counts;
  }
}
