/** When numbers have changed so much that the next heartbeat must not be waited for. */

export interface ToldNumbers {
  readonly load?: number | undefined;
  readonly inFlight?: number | undefined;
  readonly sessions?: number | undefined;
}

/** Of the load. */
const LOAD_STEP = 0.1;
/** Requests and sessions come and go; below this many there is nothing new in that. */
const COUNT_STEP = 8;
/** By this share of what was told. */
const COUNT_RATIO = 0.5;

/**
 * True when `now` differs enough from what was `told`: the load by 0.1, requests in flight or sessions by half and by
 * at least 8. How often that may be told is the heartbeats' matter.
 */
export function isWorthTelling(told: ToldNumbers, now: ToldNumbers): boolean {
  return (
    Math.abs((now.load ?? 0) - (told.load ?? 0)) >= LOAD_STEP ||
    isOtherCount(told.inFlight, now.inFlight) ||
    isOtherCount(told.sessions, now.sessions)
  );
}

function isOtherCount(told = 0, now = 0): boolean {
  return Math.abs(now - told) >= Math.max(COUNT_STEP, COUNT_RATIO * told);
}
