import type { Status } from '@rollcall/protocol';
import type { SessionVerdict } from '../liveness/session-rule.ts';
import type { Tier } from '../liveness/tier.ts';

/** What of a node decides whether it may take requests. Both fields change in place. */
export interface Standing {
  /** Where new work finds it; `undefined` when it must not get any now. */
  readonly tier: Tier | undefined;
  /** What happens to the requests of its sessions. */
  readonly verdict: SessionVerdict;
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
 * May `node` take this request for `context` now? The only predicate of its kind: everything that chooses sees only nodes
 * for which it holds.
 *
 * A node that must not get a session's request now may get it later: `verdict` says whether the request waits or moves.
 */
export function isEligible(node: Standing, context: { readonly status: Status }, ask: EligibilityAsk): boolean {
  if (context.status === 'stopped') return false;
  if (ask.hasSession) return node.verdict === 'forward';
  return context.status === 'enabled' && node.tier !== undefined;
}

/** Why `isEligible` is false for new work, in words for people; `''` when it is true. */
export function ineligibleReason(node: Standing, context: { readonly status: Status }): string {
  if (isEligible(node, context, ASK_NEW)) return '';
  if (context.status === 'stopped') return 'stopped: takes no requests';
  if (context.status === 'draining') return 'draining: keeps its sessions, takes no new ones';
  switch (node.verdict) {
    case 'park':
      return 'does not answer: its sessions wait for it';
    case 'ask':
      return 'no heartbeat: its port is being probed';
    case 'move':
      return 'refuses connections, or was given up: its sessions move';
    case 'forward':
      return 'no heartbeat, and its port was not asked yet';
  }
}
