import type { FeedLiveness, Status } from '@rollcall/protocol';

/** What of a node decides whether it may take requests. Both fields change in place. */
export interface Standing {
  /** Whether its coordinator hears it. */
  readonly liveness: FeedLiveness;
  /** True while this worker keeps requests away because they fail. */
  readonly isEjected: boolean;
}

/** What kind of request is asked for. */
export interface EligibilityAsk {
  /** True for a request whose session lives on the node. */
  readonly hasSession: boolean;
}

/** A request of a session that lives on the node. */
export const ASK_SESSION: EligibilityAsk = { hasSession: true };
/** A request that opens a new session, or that has none. */
export const ASK_NEW: EligibilityAsk = { hasSession: false };

/**
 * May `node` take this request for `context`? The only predicate of its kind: everything that chooses sees only nodes
 * for which it holds.
 *
 * An existing session keeps a draining, suspect or orphaned node, because a stateful node that pauses for four seconds
 * must not lose its users; nothing keeps a stopped or an ejected one.
 */
export function isEligible(node: Standing, context: { readonly status: Status }, ask: EligibilityAsk): boolean {
  if (node.isEjected || context.status === 'stopped') return false;
  return ask.hasSession || (context.status === 'enabled' && node.liveness === 'up');
}

/** Why `isEligible` says no, in words for people; `''` when it says yes. */
export function ineligibleReason(node: Standing, context: { readonly status: Status }, ask: EligibilityAsk): string {
  if (isEligible(node, context, ask)) return '';
  if (node.isEjected) return 'ejected: requests to it failed';
  if (context.status === 'stopped') return 'stopped: takes no requests';
  if (context.status === 'draining') return 'draining: keeps its sessions, takes no new ones';
  return `${node.liveness}: keeps its sessions, takes no new ones`;
}
