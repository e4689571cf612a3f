/** Results of one round of one contender. */

/** Result of a closed-loop run at the maximum rate. */
export interface CostSample {
  /** CPU time of the whole process tree for each request, microseconds. */
  readonly cpuUs: number;
  readonly userUs: number;
  readonly systemUs: number;
  readonly perSecond: number;
  /** Memory of the process tree after the run, octets; NaN if unreadable. */
  readonly memoryBytes: number;
  readonly answered: number;
  readonly failures: Readonly<Record<string, number>>;
  /** CPU use of the contender, in CPUs. */
  readonly cpusBusy: number;
  /** CPU use of the least busy process of the load generator, 0–1. About 1: the generator was the bottleneck. */
  readonly generatorBusyRatio: number;
}

/** Result of an open-loop run at the common rate. */
export interface LatencySample {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  readonly answered: number;
  readonly failures: Readonly<Record<string, number>>;
  /** Share of the responses that are excluded because the generator was late, 0–1. */
  readonly spoiledRatio: number;
  /** Time share of other programs on the CPU of the contender or of the nodes, the larger one, 0–1; NaN if nothing is pinned. */
  readonly othersRatio: number;
}

/** Result of a run with idle connections. */
export interface IdleSample {
  readonly connections: number;
  /** Memory growth of the process tree per connection, octets. */
  readonly bytesPerConnection: number;
  readonly failures: Readonly<Record<string, number>>;
}

/** All results of one contender in one scenario, one entry per completed round. */
export interface Result {
  readonly name: string;
  readonly version: string;
  readonly cost: CostSample[];
  readonly latency: LatencySample[];
  readonly idle: IdleSample[];
  /** Error of the last failed round. */
  error?: string;
}

/** Number of wrong or missing responses over all rounds. */
export function failuresOf({ cost, latency, idle }: Result): number {
  let total = 0;
  for (const { failures } of [...cost, ...latency, ...idle])
    for (const times of Object.values(failures)) total += times;
  return total;
}
