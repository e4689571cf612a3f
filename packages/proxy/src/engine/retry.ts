/** May a failed attempt be made again, and where? Pure; RFC 9110 §9.2.2 with the bounds of this proxy. */
import { FAILURE, type Failure } from '../failure.ts';

/** What is known of an attempt that brought no response head. */
export interface FailedAttempt {
  readonly failure: Failure;
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
  /** The node may be sent requests at all. */
  readonly takesRequests: boolean;
  /** A session's request: only its node may serve it, or the one that takes the session over. */
  readonly isBound: boolean;
  /** Its credentials answer a challenge that this node made on this connection. */
  readonly answersChallenge: boolean;
  readonly retriesLeft: number;
}

/**
 * `same-node`: a fresh connection to the same node, which costs no retry. `by-router`: as the router decides; for a bound request by its node's
 * verdict, which costs no retry either.
 */
export type RetryDecision = 'same-node' | 'by-router' | 'give-up';

/**
 * A request that never left may be sent anywhere it may go. One that left is repeated only when its method is idempotent and no octet of an
 * answer has come: on a fresh connection to the same node when a reused connection broke, because then the node has most likely only
 * closed an idle connection, unless the node must not be sent anything now; otherwise as the router says, and a bound one only when its
 * connection was closed unused. Credentials that answer a challenge of one node are not sent to another; on a fresh connection to the same
 * node they bring a new challenge. What timed out or
 * answered nonsense is not repeated: the node may be at work on it. Nor is anything after a failure of this machine, which another node
 * does not mend.
 */
export function decideRetry(attempt: FailedAttempt): RetryDecision {
  const { failure, isBound, isIdempotent, retriesLeft } = attempt;
  if (!attempt.canReplay || attempt.hasAnswerBytes || failure.party === 'our-machine') return 'give-up';
  const mayGoOn = isBound || retriesLeft > 0;
  if (!attempt.wasSent) return mayGoOn ? 'by-router' : 'give-up';
  if (!isIdempotent) return 'give-up';
  if (failure === FAILURE.closed && attempt.wasReused && !attempt.hasTriedFresh)
    return attempt.takesRequests ? 'same-node' : attempt.answersChallenge ? 'give-up' : 'by-router';
  if (attempt.answersChallenge) return 'give-up';
  if (failure === FAILURE.closedUnused) return mayGoOn ? 'by-router' : 'give-up';
  return failure === FAILURE.closed && !isBound && retriesLeft > 0 ? 'by-router' : 'give-up';
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
