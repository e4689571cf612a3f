/**
 * A node that returns three times in ten minutes is flapping, until it has been up for ten minutes without suspicion. After each return it
 * is held down: new sessions go to other nodes for 1 s. The time doubles with each return, up to a minute. Then workers ramp it up twice as
 * slowly, because a node that fails under load would fail again.
 *
 * A return is `up` by another process, or after the node was gone. Late heartbeats and reconnects do not count.
 */

/** The returns of a node. */
export interface Returns {
  /** Instants of returns that still count, oldest first; fewer than `flappingReturns`. */
  readonly atMs: readonly number[];
  readonly flapping: Flapping | undefined;
}

export interface Flapping {
  /** Number of returns, including the returns that made it flapping. */
  readonly count: number;
  readonly sinceMs: number;
  /** The node is held down until this instant; `undefined` when that is over. */
  readonly heldUntilMs: number | undefined;
}

/** Hold time of a node that has just become flapping, and the longest hold time, milliseconds. */
const FIRST_HOLD_MS = 1_000;
const MAX_HOLD_MS = 60_000;

export const NO_RETURNS: Returns = { atMs: [], flapping: undefined };

export interface FlappingOptions {
  readonly flappingReturns: number;
  readonly flappingWindowMs: number;
}

/** `returns` with one more at `nowMs`. */
export function withReturn(returns: Returns, nowMs: number, options: FlappingOptions): Returns {
  const { flapping } = returns;
  if (flapping) return held(flapping.count + 1, flapping.sinceMs, nowMs, options);
  const atMs = [...returns.atMs.filter((instant) => nowMs - instant < options.flappingWindowMs), nowMs];
  if (atMs.length < options.flappingReturns) return { atMs, flapping: undefined };
  return held(atMs.length, nowMs, nowMs, options);
}

function held(count: number, sinceMs: number, nowMs: number, { flappingReturns }: FlappingOptions): Returns {
  const holdMs = Math.min(MAX_HOLD_MS, FIRST_HOLD_MS * 2 ** (count - flappingReturns));
  return { atMs: [], flapping: { count, sinceMs, heldUntilMs: nowMs + holdMs } };
}

/** `returns` once the node is no longer held down. */
export function released({ atMs, flapping }: Returns): Returns {
  return { atMs, flapping: flapping && { ...flapping, heldUntilMs: undefined } };
}

/** Instant at which a node that has been up since `upSinceMs` is no longer flapping; `undefined` when it is not flapping. */
export function steadyAtMs({ flapping }: Returns, upSinceMs: number, options: FlappingOptions): number | undefined {
  return flapping && upSinceMs + options.flappingWindowMs;
}
