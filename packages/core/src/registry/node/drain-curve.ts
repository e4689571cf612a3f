/**
 * Sessions of a draining node over the last minutes, and the estimate of the instant at which none is left. Pure.
 *
 * The number of sessions is taken as S·e^(−kt): each session ends with the same probability in each interval. k is the slope of the line of
 * least squares through ln S. Half a session is none.
 */

/** Interval of the samples, milliseconds. */
const SAMPLE_MS = 15_000;
/** Samples that count: the last five minutes. */
const SAMPLES = 20;
/** Fewer samples give no estimate: the first minute of a drain may have no typical decay. */
const MIN_SAMPLES = 5;
/** Longer estimates are too uncertain to be of use, milliseconds. */
const MAX_LEFT_MS = 86_400_000;

interface Sample {
  readonly atMs: number;
  readonly sessions: number;
}

export class DrainCurve {
  readonly #samples: Sample[] = [];

  /** Takes a count of the sessions left; one for each interval is kept. */
  add(atMs: number, sessions: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && atMs - last.atMs < SAMPLE_MS) return;
    this.#samples.push({ atMs, sessions });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
  }

  /** Instant at which no session is left; `undefined` while it is unknown, and without sessions. */
  emptyAtMs(nowMs: number, sessions: number): number | undefined {
    return emptyAtMs(this.#samples, nowMs, sessions);
  }
}

/** The estimate from `samples`, oldest first, and the present number of sessions. */
export function emptyAtMs(samples: readonly Sample[], nowMs: number, sessions: number): number | undefined {
  const known = samples.filter((sample) => sample.sessions > 0);
  if (sessions <= 0 || known.length < MIN_SAMPLES) return undefined;
  const perMs = -slope(known.map(({ atMs, sessions: count }) => [atMs - nowMs, Math.log(count)]));
  const leftMs = Math.log(2 * sessions) / perMs;
  // A constant or growing number has no end.
  return perMs > 0 && leftMs <= MAX_LEFT_MS ? nowMs + leftMs : undefined;
}

/** Slope of the line of least squares; NaN if all points have the same x. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  let [covariance, variance] = [0, 0];
  for (const [x, y] of points) {
    covariance += (x - meanX) * (y - meanY);
    variance += (x - meanX) ** 2;
  }
  return covariance / variance;
}
