/**
 * Progress of a drain or stop. Pure: the counts of the workers and the node go in, the outcome comes out.
 *
 * A worker's counts are used once it has applied the revision in which the requested status entered the feed. Before
 * that it may still choose the node. In-flight excludes requests that were counted before that.
 */
import type { DrainOutcome as OutcomeWord, Status } from '@rollcall/protocol';
import type { DrainCurve } from './drain-curve.ts';

export interface Drain {
  /** `draining` waits for sessions that were seen again and for requests, `stopped` for requests. */
  readonly status: Exclude<Status, 'enabled'>;
  /** Of the request that began it. */
  readonly by: string | undefined;
  readonly reason: string | undefined;
  /** False: only some contexts of the node drain. */
  readonly isWhole: boolean;
  readonly sinceMs: number;
  /** The revision of the feed that announced the status to the workers. */
  readonly revision: number;
  readonly deadlineAtMs: number | undefined;
  readonly isDone: boolean;
  /** Workers and coordinators whose counts were missing when its deadline ended it; empty while it continues. */
  readonly unknownAt: readonly string[];
  /** Its sessions over the last minutes. */
  readonly curve: DrainCurve;
  /** Present once it is done. */
  readonly end?: DrainEnd;
}

export interface DrainEnd {
  readonly outcome: OutcomeWord;
  readonly atMs: number;
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

/** `idle`: nothing is left that it waits for. */
export type DrainCause = 'idle' | 'deadline' | 'killed';

/** How `drain` ends at `nowMs`, or `undefined` while it continues. */
export function drainOutcome(drain: Drain, usage: Usage, nowMs: number): 'idle' | 'deadline' | undefined {
  const isUnused = usage.inFlight === 0 && usage.tunnels === 0 && usage.waitingFor.length === 0;
  if (isUnused && (drain.status === 'stopped' || usage.sessions === 0)) return 'idle';
  if (drain.deadlineAtMs !== undefined && nowMs >= drain.deadlineAtMs) return 'deadline';
  return undefined;
}

/** The outcome in the words of operators. A deadline that passes when nothing is left any more ends an empty drain. */
export function outcomeWord(cause: DrainCause, { sessions, inFlight, tunnels, waitingFor }: Usage): OutcomeWord {
  const isEmpty = sessions === 0 && inFlight === 0 && tunnels === 0;
  switch (cause) {
    case 'idle':
      return 'empty';
    case 'deadline':
      return isEmpty && waitingFor.length === 0 ? 'empty' : 'deadline-over';
    case 'killed':
      return isEmpty ? 'empty' : 'killed';
    default:
      return cause satisfies never;
  }
}
