import type { Timers } from './timers.ts';

/** Number of requests of a node that have arrived, and that are in flight. */
export interface RequestCounts {
  readonly arrived: number;
  readonly inFlight: number;
}

/** Counts are compared at this interval, in milliseconds. */
const CHECK_MS = 100;

/**
 * Runs `run` once when no request arrived and no request was in flight for `quietMs`. The time restarts while `isHeld`.
 * Keeps the process alive until then; the returned function cancels it.
 */
export function afterQuiet(
  timers: Timers,
  counts: () => RequestCounts,
  quietMs: number,
  isHeld: () => boolean,
  run: () => void,
): () => void {
  let sinceMs = timers.nowMs();
  let seen = counts().arrived;
  const check = (): (() => void) =>
    timers.after(
      CHECK_MS,
      () => {
        const { arrived, inFlight } = counts();
        if (arrived !== seen || inFlight > 0 || isHeld()) sinceMs = timers.nowMs();
        seen = arrived;
        if (timers.nowMs() - sinceMs >= quietMs) run();
        else cancel = check();
      },
      { keepsProcess: true },
    );
  let cancel = check();
  return () => cancel();
}
