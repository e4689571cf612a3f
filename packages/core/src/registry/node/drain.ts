/**
 * Progress of a drain or stop. Pure: the counts of the workers and the node go in, the outcome comes out.
 *
 * A worker's counts are used once it has applied the revision in which the requested status entered the feed. Before
 * that it may still choose the node. In-flight excludes requests that were counted before that.
 */
import type { Status } from '@rollcall/protocol';

export interface Drain {
  /** `draining` waits for sessions that were seen again and for requests, `stopped` for requests. */
  readonly status: Exclude<Status, 'enabled'>;
  readonly sinceMs: number;
  /** The revision of the feed that announced the status to the workers. */
  readonly revision: number;
  readonly deadlineAtMs: number | undefined;
  readonly isDone: boolean;
  /** Workers and coordinators whose counts were missing when its deadline ended it; empty while it continues. */
  readonly unknownAt: readonly string[];
}

/** The current use of the node under drain. */
export interface Usage {
  readonly inFlight: number;
  /** Upgraded connections. A session that holds one is in use even if no data flows. */
  readonly tunnels: number;
  /** Sessions that were seen again. A drain waits for them. */
  readonly sessions: number;
  /** Sessions that were seen once, e.g. by a health checker without cookies. No drain waits for them. */
  readonly sessionsSeenOnce: number;
  /** Workers whose counts are missing. */
  readonly waitingFor: readonly string[];
}

export type DrainOutcome = 'idle' | 'deadline';

/** How `drain` ends at `nowMs`, or `undefined` while it continues. */
export function drainOutcome(drain: Drain, usage: Usage, nowMs: number): DrainOutcome | undefined {
  const isUnused = usage.inFlight === 0 && usage.tunnels === 0 && usage.waitingFor.length === 0;
  if (isUnused && (drain.status === 'stopped' || usage.sessions === 0)) return 'idle';
  if (drain.deadlineAtMs !== undefined && nowMs >= drain.deadlineAtMs) return 'deadline';
  return undefined;
}
