/** The status that an operator requests for single contexts of a node. It survives registrations, as that of the whole node does. */
import type { ContextPath, Status } from '@rollcall/protocol';
import type { OperatorContextStatusCommand } from './commands.ts';
import type { Rejection } from './events.ts';
import type { NodeRecord } from './node/node-record.ts';
import { effectiveStatus } from './node/node-record.ts';
import { type RegistryState, rejected } from './registry-state.ts';

/** Contexts of one node with a requested status, served at present or not: they stay while it is absent. */
const MAX_CONTEXTS = 64;

export function operatorContextStatus(
  state: RegistryState,
  command: OperatorContextStatusCommand,
): Rejection | undefined {
  const { id, contexts, status, by, reason } = command;
  const node = state.nodes.get(id);
  if (!node) return rejected('not-found', `there is no node ${id}`);
  const served = new Set(node.registration.contexts.map(({ path }) => path));
  const unknown = contexts.find((path) => !served.has(path) && !node.operatorContexts.has(path));
  if (unknown !== undefined) return rejected('bad-field', `contexts names ${unknown}, which node ${id} does not serve`);
  const next = new Map(node.operatorContexts);
  for (const path of contexts)
    if (status === 'enabled') next.delete(path);
    else next.set(path, status);
  if (next.size > MAX_CONTEXTS) return rejected('conflict', `node ${id} has requests for ${MAX_CONTEXTS} contexts`);
  if (!setContexts(state, node, next)) return undefined;
  state.emit({
    type: 'status',
    id,
    side: 'operator',
    status,
    effective: effectiveStatus(node),
    contexts,
    by,
    ...(reason !== undefined && { reason }),
  });
  return undefined;
}

/** Ends all requests for contexts of the node: an operator has enabled the whole node. */
export function endContextRequests(state: RegistryState, node: NodeRecord, by: string): void {
  const contexts = [...node.operatorContexts.keys()];
  if (!setContexts(state, node, new Map())) return;
  const effective = effectiveStatus(node);
  state.emit({ type: 'status', id: node.id, side: 'operator', status: 'enabled', effective, contexts, by });
}

/** Sets the requests for contexts of another coordinator; no effect if they are the same. */
export function mergeContextRequests(
  state: RegistryState,
  node: NodeRecord,
  next: ReadonlyMap<ContextPath, Status>,
  by: string,
): void {
  const before = node.operatorContexts;
  if (!setContexts(state, node, next)) return;
  const paths = [...new Set([...before.keys(), ...next.keys()])].filter((path) => before.get(path) !== next.get(path));
  for (const path of paths) {
    const status = next.get(path) ?? 'enabled';
    const effective = effectiveStatus(node);
    state.emit({ type: 'status', id: node.id, side: 'operator', status, effective, contexts: [path], by });
  }
}

/** Returns whether anything has changed. */
function setContexts(state: RegistryState, node: NodeRecord, next: ReadonlyMap<ContextPath, Status>): boolean {
  const before = node.operatorContexts;
  if (before.size === next.size && [...next].every(([path, status]) => before.get(path) === status)) return false;
  node.operatorContexts = next;
  state.touchFeed(node);
  state.touchOverrideRecord(node);
  return true;
}
