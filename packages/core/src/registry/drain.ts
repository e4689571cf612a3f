/**
 * Progress of a drain or stop. Pure: what the workers and the node say goes in, what is left and whose word is missing
 * comes out.
 *
 * A worker's word counts once it acts upon the revision in which the wish entered the feed: before that it may still
 * be choosing the node. In-flight includes nothing of requests that were counted before that.
 */
import type { Status } from '@rollcall/protocol';

export interface Drain {
  /** `draining` waits for sessions and requests, `stopped` for requests. */
  readonly status: Exclude<Status, 'enabled'>;
  readonly sinceMs: number;
  /** The revision that told the workers. */
  readonly revision: number;
  readonly deadlineAtMs: number | undefined;
  readonly isDone: boolean;
}

/** What is known of the node under drain. */
export interface Usage {
  readonly inFlight: number;
  /** Upgraded connections. A session that holds one is in use however long it is silent. */
  readonly tunnels: number;
  readonly sessions: number;
  /** Workers whose word is missing. */
  readonly waitingFor: readonly string[];
}

export type DrainOutcome = 'idle' | 'deadline';

/** How `drain` ends at `nowMs`, or `undefined` while it goes on. */
export function drainOutcome(drain: Drain, usage: Usage, nowMs: number): DrainOutcome | undefined {
  const isUnused = usage.inFlight === 0 && usage.tunnels === 0 && usage.waitingFor.length === 0;
  if (isUnused && (drain.status === 'stopped' || usage.sessions === 0)) return 'idle';
  if (drain.deadlineAtMs !== undefined && nowMs >= drain.deadlineAtMs) return 'deadline';
  return undefined;
}
