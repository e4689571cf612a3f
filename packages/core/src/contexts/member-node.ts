import type { FeedContext } from '@rollcall/feed';
import type { BalancerName, GroupName, HostPattern, Route } from '@rollcall/protocol';
import type { Candidate } from '../balancing/algorithm.ts';
import type { Standing } from './eligibility.ts';

/** A node as the context table holds it. Only `live` and `Standing` change between two tables. */
export interface MemberNode extends Candidate, Standing {
  readonly balancer: BalancerName;
  readonly route: Route;
  readonly group: GroupName | undefined;
  readonly hosts: readonly HostPattern[];
  readonly contexts: readonly FeedContext[];
}
