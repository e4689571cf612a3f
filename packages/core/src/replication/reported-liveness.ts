/**
 * Heartbeats that other coordinators receive from a node count where this coordinator has no connection of its own to the node. A coordinator
 * writes a report when it receives the first heartbeat of an instance and when it has lost it, not with each heartbeat.
 */

/** `coordinator` receives heartbeats of this instance of the node. */
export interface HeartbeatReport {
  readonly coordinator: string;
  readonly instance: string;
}

/**
 * - `up`: a coordinator that runs receives its heartbeats.
 * - `suspect`: only coordinators that are down had received them. The agent has the time of a lease to connect to another one.
 * - `gone`: that time is over, or no coordinator has a report of the instance.
 */
export type ReportedLiveness =
  | { readonly liveness: 'up'; readonly by: readonly string[] }
  | { readonly liveness: 'suspect'; readonly untilMs: number }
  | { readonly liveness: 'gone' };

export interface ReportedLivenessFacts {
  /** The instance that this coordinator has as the node's. Reports about others do not count. */
  readonly instance: string;
  readonly reports: readonly HeartbeatReport[];
  /** Instant at which a coordinator was found to be down, on the own clock; `undefined` while it runs. */
  readonly downAtMs: (coordinator: string) => number | undefined;
  readonly leaseMs: number;
}

/** Judges a node that has no connection here, from the reports of other coordinators. */
export function reportedLiveness(
  { instance, reports, downAtMs, leaseMs }: ReportedLivenessFacts,
  nowMs: number,
): ReportedLiveness {
  const by: string[] = [];
  let untilMs = Number.NEGATIVE_INFINITY;
  for (const report of reports) {
    if (report.instance !== instance) continue;
    const downMs = downAtMs(report.coordinator);
    if (downMs === undefined) by.push(report.coordinator);
    else untilMs = Math.max(untilMs, downMs + leaseMs);
  }
  if (by.length > 0) return { liveness: 'up', by: by.sort() };
  return nowMs < untilMs ? { liveness: 'suspect', untilMs } : { liveness: 'gone' };
}
