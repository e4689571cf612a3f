/** Sentences about the change of a token: its effect on nodes, and notes for its owner. Pure. */
import { MAX_VALUE_LENGTH } from '@rollcall/core';
import type { TokenBindings } from '@rollcall/protocol';
import type { TokenEffect } from '../auth/open-connections.ts';
import type { TokenRecord } from '../auth/tokens.ts';

/** Upper bound of the nodes that a sentence names. */
const MAX_NAMED = 5;

/** `3 nodes leave: a, b, c`; with `isDryRun` `3 nodes would leave: a, b, c`. Empty for tokens that register no nodes. */
export function effectText({ role }: TokenRecord, { leave, disconnect }: TokenEffect, isDryRun: boolean): string {
  if (role !== 'join') return '';
  const sentence = (ids: readonly string[], one: string, many: string, would: string): string => {
    const verb = isDryRun ? `would ${would}` : ids.length < 2 ? one : many;
    return ids.length === 0
      ? `no node ${verb}`
      : `${ids.length} ${ids.length === 1 ? 'node' : 'nodes'} ${verb}: ${named(ids)}`;
  };
  const leaving = `; ${sentence(leave, 'leaves', 'leave', 'leave')}`;
  if (disconnect.length === 0) return leaving;
  const until = 'disconnected until a valid secret or certificate is sent';
  return `${leaving}; ${sentence(disconnect, `is ${until}`, `are ${until}`, `be ${until}`)}`;
}

/** Note on a join token that is not bound to balancers, hosts or contexts; `undefined` for other tokens. */
export function unboundNote(now: TokenRecord, before?: TokenRecord): string | undefined {
  if (now.role !== 'join' || isPlaced(now.bindings) || (before && !isPlaced(before.bindings))) return undefined;
  return `the token ${now.name} may join any balancer, and its nodes with / on * keep contexts of other tokens out (--balancer, --host and --context bind it)`;
}

/** Note on the revocation of the last join token. Agents on this machine still need a token. */
export function lastJoinNote({ role }: TokenRecord, canJoin: boolean): string | undefined {
  if (role !== 'join' || canJoin) return undefined;
  return 'this was the last join token: no agent can join until there is one (`rollcall token create NAME --role join`)';
}

/** Note on a change that the other coordinators do not get. */
export function tooLongNote(name: string): string {
  return `the bindings of the token ${name} are too long to be shared (over ${MAX_VALUE_LENGTH} characters): the change is in force at this coordinator only`;
}

function isPlaced({ balancers, hosts, contexts }: TokenBindings = {}): boolean {
  return balancers !== undefined || hosts !== undefined || contexts !== undefined;
}

function named(ids: readonly string[]): string {
  const more = ids.length - MAX_NAMED;
  return `${ids.slice(0, MAX_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
