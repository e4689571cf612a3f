import type { HeartbeatReport } from '../heartbeats.ts';
import type { Timers } from '../timers.ts';
import { isWorthReporting, type ReportedNumbers } from './worth-reporting.ts';

/** Interval of the samples, and of the decisions about early heartbeats, in milliseconds. */
export const SAMPLE_MS = 250;

/** Measures a node. Its numbers are those of the last sample. */
export interface LoadSource extends ReportedNumbers {
  /** Takes a sample; called every `SAMPLE_MS`. */
  sample(): unknown;
  /** The numbers of a heartbeat. */
  report(): HeartbeatReport;
}

/**
 * Samples a node four times a second. Requests an early heartbeat if the numbers differ enough from the last report. Used for
 * programs with the SDK, and for programs that are measured from outside.
 */
export class LoadReports {
  readonly #source: LoadSource;
  readonly #timers: Timers;
  readonly #reportSoon: () => void;
  #reported: ReportedNumbers = {};
  #cancel: () => void = () => {};

  /** `reportSoon` requests an early heartbeat. It may be declined, and is then called again with the next sample. */
  constructor(source: LoadSource, timers: Timers, reportSoon: () => void) {
    this.#source = source;
    this.#timers = timers;
    this.#reportSoon = reportSoon;
  }

  /** Takes the first sample at once. A repeated call restarts the interval. */
  start(): void {
    this.#cancel();
    this.#cancel = this.#timers.after(SAMPLE_MS, () => this.start());
    this.#source.sample();
    if (isWorthReporting(this.#reported, this.#source)) this.#reportSoon();
  }

  stop(): void {
    this.#cancel();
  }

  /** Returns the report of a heartbeat. Later samples are compared with it. */
  report(): HeartbeatReport {
    const report = this.#source.report();
    this.#reported = report;
    return report;
  }
}
