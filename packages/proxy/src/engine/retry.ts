/** Whether a failed attempt is repeated, and where. Pure; RFC 9110 §9.2.2 with the bounds of this proxy. */
import type { RetryReason } from '@rollcall/feed';
import { FAILURE, type Failure } from './failure.ts';

/** An attempt that brought no response head. */
export interface FailedAttempt {
  readonly failure: Failure;
  /** The connection had served another request before. */
  readonly wasReused: boolean;
  readonly isIdempotent: boolean;
  /** The head and the body so far are still held. */
  readonly canReplay: boolean;
  /** A fresh connection to the same node was tried for this request already. */
  readonly hasTriedFresh: boolean;
  /** The node may be sent requests at all. */
  readonly takesRequests: boolean;
  /** A session's request: only its node may serve it, or the node that takes the session over. */
  readonly isBound: boolean;
  /** Its credentials answer a challenge that this node made on this connection. */
  readonly answersChallenge: boolean;
  readonly retriesLeft: number;
}

/**
 * `same-node`: a fresh connection to the same node, which costs no retry. `by-router`: the router decides; for a bound request by the verdict
 * on its node, which costs no retry either.
 */
export type RetryDecision = 'same-node' | 'by-router' | 'give-up';

/**
 * Decides from `failure.retry` whether there is another attempt:
 *
 * - `never`: no. The same if the body is no longer held.
 * - `unsent`: by the router, for any method.
 * - `idempotent`: for idempotent methods only.
 *   - If a reused connection closed, on a fresh connection to the same node: most likely the node has closed an idle connection. If the
 *     node must not be sent requests now, by the router.
 *   - If a fresh connection closed without an octet, by the router.
 *   - If a connection closed otherwise, by the router, but not for a bound request.
 *
 * Credentials that answer a challenge of one node are never sent to another node. On a fresh connection to the same node they bring a new
 * challenge.
 */
export function decideRetry(attempt: FailedAttempt): RetryDecision {
  const { failure, isBound, retriesLeft } = attempt;
  const mayAskRouter = isBound || retriesLeft > 0;
  if (failure.retry === 'never' || !attempt.canReplay) return 'give-up';
  // An idle connection closed before the request left (AJP asks first): as below, for any method.
  if (failure.retry === 'unsent' && failure.kind === FAILURE.closed && attempt.wasReused && !attempt.hasTriedFresh)
    return attempt.takesRequests ? 'same-node' : attempt.answersChallenge ? 'give-up' : 'by-router';
  if (failure.retry === 'unsent') return mayAskRouter ? 'by-router' : 'give-up';
  if (!attempt.isIdempotent) return 'give-up';
  if (failure.kind === FAILURE.closed && attempt.wasReused && !attempt.hasTriedFresh)
    return attempt.takesRequests ? 'same-node' : attempt.answersChallenge ? 'give-up' : 'by-router';
  if (attempt.answersChallenge || !mayAskRouter) return 'give-up';
  return failure.kind === FAILURE.closedUnused || !isBound ? 'by-router' : 'give-up';
}

const REASONS: ReadonlyMap<Failure, RetryReason> = new Map([
  [FAILURE.refused, 'refused'],
  [FAILURE.notAllowed, 'not-allowed'],
  [FAILURE.connectTimeout, 'connect-timeout'],
  [FAILURE.unreachable, 'unreachable'],
  [FAILURE.closedUnused, 'closed-unused'],
]);

/** The reason of a retry after a failure of this kind. */
export function retryReason(kind: Failure): RetryReason {
  return REASONS.get(kind) ?? 'closed';
}

/** Retries that are available before any is earned. */
const RESERVE = 500;
/** Requests that earn one retry. */
const REQUESTS_PER_RETRY = 5;

/**
 * Keeps retries a small part of the traffic, so that they cannot double the load of an overloaded cluster. Holds at most `RESERVE` retries, and
 * earns one with every five requests.
 */
export class RetryBudget {
  #credit = RESERVE * REQUESTS_PER_RETRY;

  earn(): void {
    if (this.#credit < RESERVE * REQUESTS_PER_RETRY) this.#credit++;
  }

  /** Spends one retry; false if none is left. */
  spend(): boolean {
    if (this.#credit < REQUESTS_PER_RETRY) return false;
    this.#credit -= REQUESTS_PER_RETRY;
    return true;
  }
}
