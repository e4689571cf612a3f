/**
 * The start time by which processes of one id are ordered. Clocks of machines may be wrong. A start too far in the future of the
 * coordinator's clock is replaced by that clock, once per instance. The lowest value recorded for an instance counts. A process that lost
 * its id while it had no current heartbeat is therefore recorded as older than the process that took the id.
 */
import type { RegisterCommand } from '../commands.ts';
import type { NodeView, SettledStart } from './node-record.ts';

/** Number of starts set by the coordinator that are kept per id: the newest ones. */
const MAX_KEPT = 4;

/**
 * The incarnation that counts for the process of `command`. `isSet`: the coordinator's clock has set it. It then has to be kept for the
 * next registration of the same instance, also when another process has held the id in between.
 */
export function settleStart(
  { node, nowUnixMs }: RegisterCommand,
  holder: NodeView | undefined,
  clockAheadMs: number,
): SettledStart & { readonly isSet: boolean } {
  const { instance, incarnation: announced } = node;
  const latestMs = nowUnixMs === undefined ? Number.POSITIVE_INFINITY : nowUnixMs + clockAheadMs;
  const isSet = announced === undefined || announced > latestMs;
  const incarnation = isSet ? Math.max(0, Math.floor(nowUnixMs ?? 0)) : announced;
  const recorded = recordedStart(holder, instance);
  return { instance, isSet, incarnation: recorded === undefined ? incarnation : Math.min(recorded, incarnation) };
}

function recordedStart(holder: NodeView | undefined, instance: string): number | undefined {
  if (holder?.registration.instance === instance) return holder.registration.incarnation;
  return holder?.settledStarts.find((start) => start.instance === instance)?.incarnation;
}

/** `starts` with `start` as the newest. */
export function keepStart(starts: readonly SettledStart[], { instance, incarnation }: SettledStart): SettledStart[] {
  const others = starts.filter((start) => start.instance !== instance);
  return [...others.slice(-(MAX_KEPT - 1)), { instance, incarnation }];
}
