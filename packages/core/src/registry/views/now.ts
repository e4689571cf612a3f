/** Instants in resources. */

/** One instant on both clocks. */
export interface Now {
  readonly nowMs: number;
  readonly nowUnixMs: number;
}

/** The monotonic instant `atMs` by the wall clock. */
export function toUnixMs(atMs: number, { nowMs, nowUnixMs }: Now): number {
  return Math.round(nowUnixMs - (nowMs - atMs));
}
