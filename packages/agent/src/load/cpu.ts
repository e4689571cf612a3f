import type { Metric } from './metric.ts';

/** Total CPU time used so far, in milliseconds; `undefined` while it cannot be told. */
export type CpuReader = () => number | undefined;

/** CPU time of this process, user and system. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** CPU time is counted in steps of up to 10 ms: over less than this, in milliseconds, it says nothing. */
const MIN_ELAPSED_MS = 200;

interface Look {
  readonly atMs: number;
  readonly cpuMs: number;
}

/** Share of the CPU it may use that something has used since the sample before, or over a longer time. */
export class CpuMeter {
  readonly #read: CpuReader;
  readonly #cores: number;
  readonly #nowMs: () => number;
  readonly #windowMs: number;
  /** The oldest is what the newest is compared with; empty while CPU time cannot be told. */
  readonly #looks: Look[] = [];
  #lastMs: number;
  #ratio: number | undefined = 0;

  /**
   * `cores` is how many may be used, above 0, fractions allowed. `windowMs`, default 0, is the least time that is judged
   * once it has passed: longer trembles less where CPU time is counted in large steps, and follows later.
   */
  constructor(cores: number, nowMs: () => number, read: CpuReader = processCpuMs, windowMs = 0) {
    this.#cores = cores;
    this.#nowMs = nowMs;
    this.#read = read;
    this.#windowMs = windowMs;
    this.#lastMs = nowMs();
    this.#look();
  }

  /** 0 idle … 1 all of it; samples less than 200 ms apart repeat the last. `undefined` while it cannot be told. */
  sample(): number | undefined {
    const nowMs = this.#nowMs();
    if (nowMs - this.#lastMs < MIN_ELAPSED_MS) return this.#ratio;
    this.#lastMs = nowMs;
    const wasTold = this.#looks.length > 0;
    this.#look();
    const [oldest, newest] = [this.#looks[0], this.#looks.at(-1)];
    if (!wasTold || oldest === undefined || newest === undefined) this.#ratio = undefined;
    else this.#ratio = Math.min(1, Math.max(0, (newest.cpuMs - oldest.cpuMs) / ((nowMs - oldest.atMs) * this.#cores)));
    return this.#ratio;
  }

  #look(): void {
    const looks = this.#looks;
    const cpuMs = this.#read();
    if (cpuMs === undefined) looks.length = 0;
    else looks.push({ atMs: this.#lastMs, cpuMs });
    while (looks.length > 2 && this.#lastMs - looks[1]!.atMs >= this.#windowMs) looks.shift();
  }
}

/** CPU this process uses, of what it may use. */
export function cpuMetric(meter: CpuMeter): Metric {
  return { name: 'cpu', scale: { capacity: 1, weight: 1, isLimit: true }, read: () => meter.sample() };
}

/** CPU that the whole control group uses, of its quota: others in the container may take it from the node. */
export function cgroupCpuMetric(meter: CpuMeter): Metric {
  return { name: 'cgroupCpu', scale: { capacity: 1, weight: 1, isLimit: true }, read: () => meter.sample() };
}
