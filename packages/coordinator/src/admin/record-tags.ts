/**
 * `ETag` of a node and of a balancer, and `If-Match` on their writes. A tag names what operators and the node have set:
 * it does not change with loads, counters or liveness, and it changes with every drain, override, registration or setting.
 * It is computed on demand, so nothing is stored for it; after a restart of the coordinator a node with a status that an
 * operator has set has another tag.
 */
import { createHash } from 'node:crypto';
import type { NodeView } from '@rollcall/core';
import type { BalancerResource, Fault } from '@rollcall/protocol';

export function nodeTag(node: NodeView): string {
  const { kind, owner, registration, overrides, operatorWish, nodeWish, contextStatus, liveness } = node;
  const isGone = liveness === 'gone';
  return tagOf([kind, owner, registration, overrides, operatorWish, nodeWish, [...contextStatus], isGone]);
}

export function balancerTag(balancer: BalancerResource): string {
  const { name, algorithm, sessionAlgorithm, sticky, retries, sessionIdleMs, assign, origins } = balancer;
  return tagOf([name, algorithm, sessionAlgorithm, sticky, retries, sessionIdleMs, assign, origins]);
}

/**
 * Why a write with this `If-Match` must not be carried out, or `undefined` when it may be. `tag` is the present one of
 * the record, `undefined` when there is none.
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
