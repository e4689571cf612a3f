/** Combines requested status and numbers of several processes that serve one port to those of one node. */
import { type MetricScale, optional, type Status } from '@rollcall/protocol';
import type { HeartbeatReport } from '../heartbeats.ts';

/** The requested status of a process or node. */
export interface RequestedStatus {
  readonly status: Status;
  readonly reason: string;
  /** Time limit for `drained`, in milliseconds. */
  readonly deadlineMs: number;
}

export const NO_REQUESTED_STATUS: RequestedStatus = { status: 'enabled', reason: '', deadlineMs: 0 };

const ORDER = { enabled: 0, draining: 1, stopped: 2 } as const;

/** The least restrictive status of all processes: the port is served while one process serves it. */
export function combinedStatus(requested: readonly RequestedStatus[]): RequestedStatus {
  return requested.reduce(
    (least, requestedStatus) => (ORDER[requestedStatus.status] < ORDER[least.status] ? requestedStatus : least),
    requested[0] ?? NO_REQUESTED_STATUS,
  );
}

/**
 * Combines reports: counts, values and the capacities of scales are added; load and parts are the mean. The node is ready
 * while all processes are ready, because a connection may reach any of them.
 */
export function combinedReport(reports: readonly HeartbeatReport[]): HeartbeatReport {
  const [first] = reports;
  if (first === undefined) return {};
  if (reports.length === 1) return first;
  return {
    ...optional('load', mean(numbersOf(reports, ({ load }) => load))),
    ...optional('serviceMs', mean(numbersOf(reports, ({ serviceMs }) => serviceMs))),
    ...optional('sessions', sum(numbersOf(reports, ({ sessions }) => sessions))),
    ...optional('inFlight', sum(numbersOf(reports, ({ inFlight }) => inFlight))),
    ...optional(
      'metrics',
      byName(reports, ({ metrics }) => metrics, mean),
    ),
    ...optional(
      'values',
      byName(reports, ({ values }) => values, sum),
    ),
    ...optional(
      'scales',
      byName(reports, ({ scales }) => scales, summed),
    ),
    ...(reports.some(({ ready }) => ready === false) ? { ready: false } : {}),
  };
}

function numbersOf(
  reports: readonly HeartbeatReport[],
  read: (report: HeartbeatReport) => number | undefined,
): readonly number[] {
  return reports.map(read).filter((value) => value !== undefined);
}

function sum(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number | undefined {
  const total = sum(values);
  return total === undefined ? undefined : total / values.length;
}

function summed(scales: readonly MetricScale[]): MetricScale | undefined {
  const [first] = scales;
  return first && { ...first, capacity: scales.reduce((total, { capacity }) => total + capacity, 0) };
}

/** For each name, the combined value of all reports that contain it. */
function byName<Value>(
  reports: readonly HeartbeatReport[],
  read: (report: HeartbeatReport) => Readonly<Record<string, Value>> | undefined,
  combine: (values: readonly Value[]) => Value | undefined,
): Readonly<Record<string, Value>> | undefined {
  const lists = new Map<string, Value[]>();
  for (const report of reports)
    for (const [name, value] of Object.entries(read(report) ?? {}))
      lists.set(name, [...(lists.get(name) ?? []), value]);
  if (lists.size === 0) return undefined;
  return Object.fromEntries([...lists].map(([name, values]) => [name, combine(values)!]));
}
