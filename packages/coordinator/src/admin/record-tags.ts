/**
 * `ETag` of a node and of a balancer, and `If-Match` on writes to them. A tag covers the settings of operators and of the node.
 * It changes with every drain, override, registration or setting, and not with loads, counters or liveness.
 *
 * Tags are computed on demand and not stored. After a restart of the coordinator, a node whose status was set by an operator has
 * another tag.
 */
import { createHash } from 'node:crypto';
import type { NodeView } from '@rollcall/core';
import type { BalancerResource, Fault } from '@rollcall/protocol';

export function nodeTag(node: NodeView): string {
  const { kind, owner, registration, overrides, operatorStatus, nodeStatus, contextStatus, liveness } = node;
  const isGone = liveness === 'gone';
  return tagOf([kind, owner, registration, overrides, operatorStatus, nodeStatus, [...contextStatus], isGone]);
}

export function balancerTag(balancer: BalancerResource): string {
  const { name, algorithm, sessionAlgorithm, sticky, retries, sessionIdleMs, minEligible, assign, limits, origins } =
    balancer;
  return tagOf([
    name,
    algorithm,
    sessionAlgorithm,
    sticky,
    retries,
    sessionIdleMs,
    minEligible,
    assign,
    limits,
    origins,
  ]);
}

/**
 * The fault of a write with this `If-Match`, or `undefined` if the write may be carried out. `tag` is the present tag of the
 * record, `undefined` if the record does not exist.
 */
export function unmatched(field: string | undefined, what: string, tag: string | undefined): Fault | undefined {
  if (field === undefined) return undefined;
  const names = field.split(',').map((name) => name.trim());
  if (tag !== undefined && (names.includes('*') || names.includes(tag))) return undefined;
  const now = tag === undefined ? 'does not exist' : `has changed since it was read and is ${tag} now`;
  return { code: 'precondition-failed', message: `${what} ${now}; If-Match is ${field.slice(0, 100)}` };
}

function tagOf(value: unknown): string {
  return `"${createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 16)}"`;
}
