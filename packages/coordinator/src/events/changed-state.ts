/** The state before and after a change of an operator, as the audit has it. */
import type { Event, NodeRequests } from '@rollcall/core';
import type { Clocks } from '../clocks.ts';
import type { Origin } from '../cluster.ts';
import type { AuditEntry } from './audit.ts';
import type { Changes } from './changes.ts';

/** Fields of the audit entry of an event; empty for an event that is no part of a change. */
export function changedBy(
  changes: Changes,
  event: Event,
  { changeId }: Origin,
  clocks: Clocks,
): Pick<AuditEntry, 'change' | 'before' | 'after'> {
  const change = changeId === undefined || !('by' in event) ? undefined : changes.get(changeId);
  if (change === undefined) return {};
  if (event.type === 'balancer') {
    const settings = change.balancers.get(event.balancer.name);
    return { change: change.id, ...(settings && { before: settings.before ?? {}, after: settings.after ?? {} }) };
  }
  const requests = 'id' in event ? change.nodes.get(event.id) : undefined;
  if (requests === undefined) return { change: change.id };
  const [before, after] = [stateOf(requests.before, clocks), stateOf(requests.after, clocks)];
  const keys = Object.keys({ ...before, ...after }).filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  );
  const only = (state: Record<string, unknown>): object => Object.fromEntries(keys.map((key) => [key, state[key]]));
  return { change: change.id, before: only(before), after: only(after) };
}

/** Instants are wall-clock times. */
function stateOf(requests: NodeRequests, clocks: Clocks): Record<string, unknown> {
  const toUnixMs = (atMs: number): number => Math.round(atMs + clocks.nowUnixMs() - clocks.nowMs());
  const { operatorStatus, overrides, operatorContexts, acknowledged } = requests;
  const { status, deadlineAtMs, untilMs, reason, by } = operatorStatus;
  return {
    status,
    ...(by !== undefined && { by }),
    ...(reason !== undefined && { reason }),
    ...(deadlineAtMs !== undefined && { deadlineAtUnixMs: toUnixMs(deadlineAtMs) }),
    ...(untilMs !== undefined && { untilUnixMs: toUnixMs(untilMs) }),
    ...overrides,
    ...(operatorContexts.size > 0 && { contexts: Object.fromEntries(operatorContexts) }),
    ...(acknowledged && { acknowledgedBy: acknowledged.by }),
  };
}
