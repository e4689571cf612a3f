/** Decides whether changed numbers require an early heartbeat. */

export interface ReportedNumbers {
  readonly load?: number | undefined;
  readonly inFlight?: number | undefined;
  readonly sessions?: number | undefined;
}

/** Minimum change of the load. */
const LOAD_STEP = 0.1;
/** Minimum change of requests in flight or sessions: smaller changes are normal. */
const COUNT_STEP = 8;
/** Minimum change of requests in flight or sessions, as a share of the reported number. */
const COUNT_RATIO = 0.5;

/**
 * True if `now` differs enough from `before`, the last reported numbers. Required is a change of the load by 0.1, or of
 * requests in flight or sessions by half and by at least 8. `Heartbeats` limits the rate.
 */
export function isWorthReporting(before: ReportedNumbers, now: ReportedNumbers): boolean {
  return (
    Math.abs((now.load ?? 0) - (before.load ?? 0)) >= LOAD_STEP ||
    isOtherCount(before.inFlight, now.inFlight) ||
    isOtherCount(before.sessions, now.sessions)
  );
}

function isOtherCount(before = 0, now = 0): boolean {
  return Math.abs(now - before) >= Math.max(COUNT_STEP, COUNT_RATIO * before);
}
