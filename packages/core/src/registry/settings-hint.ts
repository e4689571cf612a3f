/** Settings that a node proposes for its balancer. The first node decides, see balancer-settings.ts. */
import type { BalancerLimits, StickyHint } from '@rollcall/protocol';

export interface SettingsHint extends OtherHint {
  readonly sticky?: StickyHint;
}

/** Proposed settings that the protocol of agents does not carry. Nodes over MCMP announce them. */
export interface OtherHint {
  readonly retries?: number;
  /** Without paths. */
  readonly limits?: BalancerLimits;
}

/** All that a registration proposes; `undefined` for nothing. */
export function hintOf({
  sticky,
  hint,
}: {
  readonly sticky?: StickyHint;
  readonly hint?: OtherHint;
}): SettingsHint | undefined {
  return sticky === undefined && hint === undefined ? undefined : { ...(sticky && { sticky }), ...hint };
}
