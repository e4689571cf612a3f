/**
 * New work goes to the first tier of a context that has a node. Within a tier the balancing algorithm chooses.
 *
 * `ready`: up, ready, in rotation. `reserve`: standby nodes, and outliers. `not-ready`: the node is not ready. `suspect`:
 * no current heartbeat, and its port answers. `returning`: refused before, and answering now.
 */
export const TIERS = ['ready', 'reserve', 'not-ready', 'suspect', 'returning'] as const;

export type Tier = (typeof TIERS)[number];

/** The facts that decide the tier of a node, apart from its status in a context. */
export interface TierFacts {
  readonly isHeard: boolean;
  readonly isReady: boolean;
  /** An operator's standby node, or an outlier. */
  readonly isReserve: boolean;
  /** The port answers, or has received no request or probe. */
  readonly isReachable: boolean;
  /** The port has answered within the last seconds. */
  readonly isAnswering: boolean;
  readonly isRefused: boolean;
}

/** The tier of a node that takes new work; `undefined` for one that must not get any now. */
export function tierOf({
  isHeard,
  isReady,
  isReserve,
  isReachable,
  isAnswering,
  isRefused,
}: TierFacts): Tier | undefined {
  if (isRefused) return isAnswering ? 'returning' : undefined;
  if (!isHeard) return isAnswering ? 'suspect' : undefined;
  if (!isReachable) return undefined;
  if (!isReady) return 'not-ready';
  return isReserve ? 'reserve' : 'ready';
}
