import type { Status } from '@rollcall/protocol';
import type { SessionVerdict } from '../liveness/session-rule.ts';
import type { Tier } from '../liveness/tier.ts';

/** The state of a node that decides whether it may take requests. Both fields change in place. */
export interface Standing {
  /** Its tier for new work; `undefined` when it must not get any now. */
  readonly tier: Tier | undefined;
  /** How the requests of its sessions are handled. */
  readonly verdict: SessionVerdict;
}

/** The kind of request. */
export interface EligibilityAsk {
  /** True for a request whose session lives on the node. */
  readonly hasSession: boolean;
}

/** A request of a session that lives on the node. */
export const ASK_SESSION: EligibilityAsk = { hasSession: true };
/** A request that opens a new session, or that has none. */
export const ASK_NEW: EligibilityAsk = { hasSession: false };

/**
 * May `node` take this request for `context` now? The only predicate of its kind: algorithms receive only nodes for which
 * it holds.
 *
 * A node that must not get a session's request now may get it later: by `verdict` the request waits or moves.
 */
export function isEligible(node: Standing, context: { readonly status: Status }, ask: EligibilityAsk): boolean {
  if (context.status === 'stopped') return false;
  if (ask.hasSession) return node.verdict === 'forward';
  return context.status === 'enabled' && node.tier !== undefined;
}

/** Why `isEligible` is false for new work, as text for operators; `''` when it is true. */
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
      return 'no heartbeat, and its port was not probed yet';
  }
}
