/**
 * A node that returns three times in ten minutes is flapping, until it has been up for ten minutes without suspicion. Workers ramp a
 * flapping node up twice as slowly after each return, because a node that fails under load would fail again.
 *
 * A return is `up` by another process, or after the node was gone. A heartbeat that is late, or a connection that was cut and is open
 * again, is none.
 */

/** What is known of a node's returns. */
export interface Returns {
  /** Instants of returns that still count, oldest first; fewer than `flappingReturns`. */
  readonly atMs: readonly number[];
  readonly flapping: Flapping | undefined;
}

export interface Flapping {
  /** Returns, those included that made it flapping. */
  readonly count: number;
  readonly sinceMs: number;
}

export const NO_RETURNS: Returns = { atMs: [], flapping: undefined };

export interface FlappingOptions {
  readonly flappingReturns: number;
  readonly flappingWindowMs: number;
}

/** `returns` with one more at `nowMs`. */
export function withReturn(returns: Returns, nowMs: number, options: FlappingOptions): Returns {
  const { flapping } = returns;
  if (flapping) return { atMs: [], flapping: { ...flapping, count: flapping.count + 1 } };
  const atMs = [...returns.atMs.filter((instant) => nowMs - instant < options.flappingWindowMs), nowMs];
  if (atMs.length < options.flappingReturns) return { atMs, flapping: undefined };
  return { atMs: [], flapping: { count: atMs.length, sinceMs: nowMs } };
}

/** When a node that has been up since `upSinceMs` is no longer flapping; `undefined` when it is not flapping. */
export function steadyAtMs({ flapping }: Returns, upSinceMs: number, options: FlappingOptions): number | undefined {
  return flapping && upSinceMs + options.flappingWindowMs;
}
