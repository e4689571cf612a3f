/** What one round of one contender gave. */

/** A closed-loop run: as many requests as it can answer. */
export interface CostSample {
  /** CPU time of the whole process tree for each request, microseconds. */
  readonly cpuUs: number;
  readonly userUs: number;
  readonly systemUs: number;
  readonly perSecond: number;
  /** Memory of the tree right after, octets; NaN when it cannot be read. */
  readonly memoryBytes: number;
  readonly answered: number;
  readonly failures: Readonly<Record<string, number>>;
  /** CPUs that the contender kept busy. */
  readonly cpusBusy: number;
  /** CPU time of the load generator's least busy process by time, 0–1; about 1 where it was the limit. */
  readonly generatorBusyRatio: number;
}

/** An open-loop run: latency at a rate that is the same for all. */
export interface LatencySample {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  readonly answered: number;
  readonly failures: Readonly<Record<string, number>>;
  /** Share of the answers that do not count because the generator itself was late, 0–1. */
  readonly spoiledRatio: number;
  /** Share of the time that other programs had the contender's CPU or the nodes', whichever is more, 0–1; NaN when nothing is pinned. */
  readonly othersRatio: number;
}

/** Connections that are held open. */
export interface IdleSample {
  readonly connections: number;
  /** Growth of the tree's memory for each, octets. */
  readonly bytesPerConnection: number;
  readonly failures: Readonly<Record<string, number>>;
}

/** All that was measured of one contender in one scenario, one entry for each round that came about. */
export interface Result {
  readonly name: string;
  readonly version: string;
  readonly cost: CostSample[];
  readonly latency: LatencySample[];
  readonly idle: IdleSample[];
  /** What kept it from being measured, at the last attempt. */
  error?: string;
}

/** How many answers were wrong or missing in all rounds together. */
export function failuresOf({ cost, latency, idle }: Result): number {
  let total = 0;
  for (const { failures } of [...cost, ...latency, ...idle])
    for (const times of Object.values(failures)) total += times;
  return total;
}
