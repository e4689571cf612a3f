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

/** Share of the CPU it may use that something has used since the sample before. */
export class CpuMeter {
  readonly #read: CpuReader;
  readonly #cores: number;
  readonly #nowMs: () => number;
  #lastCpuMs: number | undefined;
  #lastMs: number;
  #ratio: number | undefined = 0;

  /** `cores` is how many may be used, above 0, fractions allowed. */
  constructor(cores: number, nowMs: () => number, read: CpuReader = processCpuMs) {
    this.#cores = cores;
    this.#nowMs = nowMs;
    this.#read = read;
    this.#lastCpuMs = read();
    this.#lastMs = nowMs();
  }

  /** 0 idle … 1 all of it; samples less than 200 ms apart repeat the last. `undefined` while it cannot be told. */
  sample(): number | undefined {
    const nowMs = this.#nowMs();
    const elapsedMs = nowMs - this.#lastMs;
    if (elapsedMs < MIN_ELAPSED_MS) return this.#ratio;
    const cpuMs = this.#read();
    const before = this.#lastCpuMs;
    this.#lastCpuMs = cpuMs;
    this.#lastMs = nowMs;
    if (cpuMs === undefined || before === undefined) this.#ratio = undefined;
    else this.#ratio = Math.min(1, Math.max(0, (cpuMs - before) / (elapsedMs * this.#cores)));
    return this.#ratio;
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
