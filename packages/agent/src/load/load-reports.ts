import type { HeartbeatReport } from '../heartbeats.ts';
import type { Timers } from '../timers.ts';
import { isWorthTelling, type ToldNumbers } from './worth-telling.ts';

/** Samples are taken each so many milliseconds, and with them the chance of an early heartbeat. */
export const SAMPLE_MS = 250;

/** What measures a node. Its numbers are those of its last sample. */
export interface LoadSource extends ToldNumbers {
  /** Measures anew; meant to be called each `SAMPLE_MS`. */
  sample(): unknown;
  /** The numbers of a heartbeat. */
  report(): HeartbeatReport;
}

/**
 * Samples a node four times a second and asks for a heartbeat before its time when the numbers differ enough from what
 * was told last: one rule for programs that measure themselves and for those that are measured from outside.
 */
export class LoadReports {
  readonly #source: LoadSource;
  readonly #timers: Timers;
  readonly #reportSoon: () => void;
  #told: ToldNumbers = {};
  #cancel: () => void = () => {};

  /** `reportSoon` may decline: it is asked again with the next sample. */
  constructor(source: LoadSource, timers: Timers, reportSoon: () => void) {
    this.#source = source;
    this.#timers = timers;
    this.#reportSoon = reportSoon;
  }

  /** Takes the first sample at once. A repeat starts anew. */
  start(): void {
    this.#cancel();
    this.#cancel = this.#timers.after(SAMPLE_MS, () => this.start());
    this.#source.sample();
    if (isWorthTelling(this.#told, this.#source)) this.#reportSoon();
  }

  stop(): void {
    this.#cancel();
  }

  /** What is told now: later samples are compared with it. */
  report(): HeartbeatReport {
    const report = this.#source.report();
    this.#told = report;
    return report;
  }
}
