/**
 * Contexts without nodes as coordinators share them: `context/HASH`.
 *
 * - With `balancer`: the last node has left. It expires with the memory of the context.
 * - With `isForgotten`: an operator has it forgotten.
 * - Deleted: a node serves it again.
 *
 * While a node has the context here, a record of it has no effect. If that node leaves without having been up, the record comes into force.
 */
import { EMPTY_CONTEXT_MS } from '../../contexts/context-table.ts';
import type { HostedContext, RememberedContext } from '../../contexts/hosted-context.ts';
import { isDeletion, type SharedRecord } from '../../replication/shared-record.ts';
import { recordKey } from '../../store/record-key.ts';
import type { RegistryState } from '../registry-state.ts';
import type { SharedChange } from './shared-change.ts';
import { readStoredContext } from './stored-records.ts';

export function contextChange(state: RegistryState, { host, path }: HostedContext): SharedChange {
  const { remembered, nowMs, options } = state;
  const key = recordKey.context(host, path);
  const context = remembered.get({ host, path });
  if (state.contexts.isHeld(host, path)) return { key, value: undefined, remaining: {} };
  if (context !== undefined)
    return {
      key,
      value: { host, path, balancer: context.balancer },
      remaining: { expires: context.sinceMs + EMPTY_CONTEXT_MS - nowMs },
    };
  // As long as a node that has left it may be remembered.
  if (remembered.isForgotten({ host, path }))
    return { key, value: { host, path, isForgotten: true }, remaining: { expires: options.rememberMs } };
  return { key, value: undefined, remaining: {}, isUnknown: true };
}

/** All contexts without nodes of this coordinator. */
export function contextChanges(state: RegistryState): SharedChange[] {
  return [...state.remembered.all(), ...state.remembered.forgotten()].map((place) => contextChange(state, place));
}

/** Takes records that stand now. */
export function mergeContexts(state: RegistryState, records: readonly SharedRecord[]): void {
  const served = new Set(records.filter(isDeletion).map(({ key }) => key));
  const contexts: RememberedContext[] = [];
  const forgotten: HostedContext[] = [];
  for (const record of records) if (!served.has(record.key)) sort(state, record, contexts, forgotten);
  const { remembered, journal } = state;
  const dropped =
    served.size === 0 ? [] : known(state).filter(({ host, path }) => served.has(recordKey.context(host, path)));
  if (contexts.length + forgotten.length + dropped.length === 0) return;
  remembered.merge(contexts, forgotten, dropped);
  for (const place of [...forgotten, ...dropped]) journal.forgetContexts(place);
  journal.contextsRemembered();
}

function known({ remembered }: RegistryState): HostedContext[] {
  return [...remembered.all(), ...remembered.forgotten()];
}

function sort(
  state: RegistryState,
  { key, value, remaining }: SharedRecord,
  contexts: RememberedContext[],
  forgotten: HostedContext[],
): void {
  const { expires = 0 } = remaining;
  const stored = readStoredContext({ ...(value as object), sinceUnixMs: 0 });
  if (stored === undefined || key !== recordKey.context(stored.host, stored.path)) {
    state.unreadableRecords += 1;
    return;
  }
  const { host, path, lost } = stored;
  if (state.contexts.isHeld(host, path)) return;
  if (lost === undefined) forgotten.push({ host, path });
  else {
    const sinceMs = state.nowMs + Math.min(0, expires - EMPTY_CONTEXT_MS);
    contexts.push({ host, path, balancer: lost.balancer, sinceMs });
  }
}
