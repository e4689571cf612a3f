/** May a failed attempt be made again, and where? Pure; RFC 9110 §9.2.2 with the bounds of this proxy. */
import type { AttemptFailure } from '../routing.ts';

/** What is known of an attempt that brought no response head. */
export interface FailedAttempt {
  readonly failure: AttemptFailure;
  /** The connection had served another request before. */
  readonly wasReused: boolean;
  /** At least one octet of an answer came. */
  readonly hasAnswerBytes: boolean;
  /** The connection was established, so that octets of the request may have left. */
  readonly wasSent: boolean;
  readonly isIdempotent: boolean;
  /** Head and body so far are still at hand. */
  readonly canReplay: boolean;
  /** A fresh connection to the same node was tried for this request already. */
  readonly hasTriedFresh: boolean;
  readonly retriesLeft: number;
}

/** `same-node`: a fresh connection to the same node. `other-node`: as the router allows. */
export type RetryDecision = 'same-node' | 'other-node' | 'give-up';

/**
 * A request that never left may go anywhere. One that left is repeated only when its method is idempotent and no octet
 * of an answer has come: on a fresh connection to the same node when a reused connection broke, because then the node
 * has most likely only closed an idle connection; otherwise at another node. What timed out or answered nonsense is
 * not repeated: the node may be at work on it.
 */
export function decideRetry(attempt: FailedAttempt): RetryDecision {
  if (attempt.retriesLeft <= 0 || !attempt.canReplay || attempt.hasAnswerBytes) return 'give-up';
  if (!attempt.wasSent) return 'other-node';
  if (attempt.failure !== 'reset' || !attempt.isIdempotent) return 'give-up';
  return attempt.wasReused && !attempt.hasTriedFresh ? 'same-node' : 'other-node';
}

/** Retries that may be made before any has to be earned. */
const RESERVE = 500;
/** Requests that earn one retry. */
const REQUESTS_PER_RETRY = 5;

/**
 * Keeps retries a small part of the traffic, so that they cannot double the load of a cluster that is in trouble.
 * Holds at most `RESERVE` retries and earns one with every five requests.
 */
export class RetryBudget {
  #credit = RESERVE * REQUESTS_PER_RETRY;

  earn(): void {
    if (this.#credit < RESERVE * REQUESTS_PER_RETRY) this.#credit++;
  }

  /** True when a retry may be made; it is then paid for. */
  spend(): boolean {
    if (this.#credit < REQUESTS_PER_RETRY) return false;
    this.#credit -= REQUESTS_PER_RETRY;
    return true;
  }
}
