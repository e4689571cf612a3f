/** Total CPU time used so far, in milliseconds. */
export type CpuReader = () => number;

/** CPU time of this process, user and system. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Share of the CPU it may use that something has used since the sample before. */
export class CpuMeter {
  readonly #read: CpuReader;
  readonly #cores: number;
  readonly #nowMs: () => number;
  #lastCpuMs: number;
  #lastMs: number;
  #load = 0;

  /** `cores` is how many may be used, above 0, fractions allowed. */
  constructor(cores: number, nowMs: () => number, read: CpuReader = processCpuMs) {
    this.#cores = cores;
    this.#nowMs = nowMs;
    this.#read = read;
    this.#lastCpuMs = read();
    this.#lastMs = nowMs();
  }

  /** 0 idle … 1 all of it. Samples less than 200 ms apart repeat the last: CPU time is counted in coarse steps. */
  sample(): number {
    const nowMs = this.#nowMs();
    const elapsedMs = nowMs - this.#lastMs;
    if (elapsedMs < 200) return this.#load;
    const cpuMs = this.#read();
    this.#load = Math.min(1, Math.max(0, (cpuMs - this.#lastCpuMs) / (elapsedMs * this.#cores)));
    this.#lastCpuMs = cpuMs;
    this.#lastMs = nowMs;
    return this.#load;
  }
}
