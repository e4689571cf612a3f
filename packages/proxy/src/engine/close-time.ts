/** When an upgraded connection is closed that has to end: spread over a window, so that clients do not reconnect all at once. Pure. */

/** Time for a close: the rest of the frame in progress, and the close frame of the other side, milliseconds. Then it is cut. */
export const CLOSE_MS = 3_000;

export interface CloseSpan {
  readonly nowMs: number;
  /** The connection has to be closed by then; an instant. */
  readonly endMs: number;
  /** Longest time between the first and the last close, milliseconds. 0: all at once, as late as possible. */
  readonly windowMs: number;
}

/**
 * The instant at which a close begins; `unit` is from 0 to 1 and selects it within the window. The window ends `CLOSE_MS` before `endMs`, but
 * leaves at least half of the time to it, and never begins before `nowMs`.
 */
export function closeAtMs({ nowMs, endMs, windowMs }: CloseSpan, unit: number): number {
  const lastMs = Math.max(nowMs, endMs - Math.min(CLOSE_MS, (endMs - nowMs) / 2));
  const firstMs = Math.max(nowMs, lastMs - windowMs);
  return firstMs + unit * (lastMs - firstMs);
}
