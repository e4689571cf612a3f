/** States of nodes, and reasons of their changes, in the words that the feed and the admin API share. */

/**
 * `up`: the node has a current heartbeat. `suspect`: no heartbeat for `suspectMs`, the socket closed without `leave`, or a
 * member without an agent does not answer. `down`: a static member that has not answered for a lease; it keeps its context. Nodes that are
 * still being probed, and nodes that are gone, are not in the feed.
 */
export type FeedLiveness = 'up' | 'suspect' | 'down';

/**
 * State of a node's port as observed by a worker. `unknown`: the worker has sent no probe or request. `unresponsive`: an answer
 * is overdue. `refused`: connects were refused, reset, or closed without an octet.
 */
export type PortState = 'unknown' | 'answers' | 'unresponsive' | 'refused';

/** A port state, or `given-up`: the worker sends no requests to this node until it answers a probe. */
export type PortReport = PortState | 'given-up';

/**
 * Reason why a node is gone. `left` and `removed`: intended. `expired`: no sign of life for a lease. `refused`: its connection
 * is closed and its port refuses. `taken`: another node or program has its address. `claim-lost`: its id, route or context belongs to a
 * node that another coordinator has accepted at the same time.
 */
export type GoneCause = 'left' | 'expired' | 'removed' | 'refused' | 'taken' | 'claim-lost';
/** All of them. */
export const GONE_CAUSES: readonly GoneCause[] = ['left', 'expired', 'removed', 'refused', 'taken', 'claim-lost'];

/**
 * Reason why a session was moved to another node. A `GoneCause`: the node is gone, or its port refuses (`refused`).
 * `stopped`, `redirected`: by the status or the redirect of the node. `unresponsive`: given up by this worker. `eager`: moved at
 * once because the failover of the balancer is `eager`. `unknown`: the worker only remembers the route.
 */
export type FailoverCause = GoneCause | 'unresponsive' | 'stopped' | 'redirected' | 'eager' | 'unknown';
/** All of them. */
export const FAILOVER_CAUSES: readonly FailoverCause[] = [
  ...GONE_CAUSES,
  'unresponsive',
  'stopped',
  'redirected',
  'eager',
  'unknown',
];
