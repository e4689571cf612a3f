import type { Metric } from './metric.ts';

/** Returns the total CPU time so far, in milliseconds; `undefined` while it is unknown. */
export type CpuReader = () => number | undefined;

/** CPU time of this process, user and system, in milliseconds. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Minimum time between samples, in milliseconds: CPU time has a resolution of up to 10 ms. */
const MIN_ELAPSED_MS = 200;

interface Look {
  readonly atMs: number;
  readonly cpuMs: number;
}

/** Share of the usable CPU time that was used since the previous sample, or over a longer window. */
export class CpuMeter {
  readonly #read: CpuReader;
  readonly #cores: number;
  readonly #nowMs: () => number;
  readonly #windowMs: number;
  /** The newest is compared with the oldest. Empty while CPU time is unknown. */
  readonly #looks: Look[] = [];
  #lastMs: number;
  #ratio: number | undefined = 0;

  /**
   * `cores`: number of usable cores, above 0, fractions allowed. `windowMs`: minimum length of the window, in milliseconds,
   * default 0. A longer window reduces noise if CPU time has a low resolution, and increases the delay.
   */
  constructor(cores: number, nowMs: () => number, read: CpuReader = processCpuMs, windowMs = 0) {
    this.#cores = cores;
    this.#nowMs = nowMs;
    this.#read = read;
    this.#windowMs = windowMs;
    this.#lastMs = nowMs();
    this.#look();
  }

  /** 0 idle … 1 fully used; `undefined` while it is unknown. Within 200 ms of a sample it returns the same value. */
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

/** CPU time of this process over its usable CPU time. */
export function cpuMetric(meter: CpuMeter): Metric {
  return { name: 'cpu', scale: { capacity: 1, weight: 1, isLimit: true }, read: () => meter.sample() };
}

/** CPU time of the whole control group over its quota: other processes of the container use it too. */
export function cgroupCpuMetric(meter: CpuMeter): Metric {
  return { name: 'cgroupCpu', scale: { capacity: 1, weight: 1, isLimit: true }, read: () => meter.sample() };
}
