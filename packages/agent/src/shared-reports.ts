/**
 * The reports of a node for several coordinators. Each coordinator has its own heartbeat interval. Heartbeats that are sent
 * close together share one report. Each coordinator gets the scales once.
 */
import type { HeartbeatReport, ReportSource } from './heartbeats.ts';

/** A report is shared for this time, in milliseconds. */
export const SHARED_MS = 100;

type Report = HeartbeatReport | undefined;

export class SharedReports {
  readonly #source: ReportSource;
  readonly #nowMs: () => number;
  #report: Report | Promise<Report>;
  #takenAtMs = Number.NEGATIVE_INFINITY;
  #pending: Promise<Report> | undefined;
  #scales: HeartbeatReport['scales'];
  #scalesVersion = 0;

  constructor(source: ReportSource, nowMs: () => number) {
    this.#source = source;
    this.#nowMs = nowMs;
  }

  /** The next report is a new one, because the numbers have changed. */
  forget(): void {
    this.#takenAtMs = Number.NEGATIVE_INFINITY;
    this.#pending = undefined;
  }

  /** Reports for one coordinator. */
  receiver(): ReportReceiver {
    let sentVersion = 0;
    const withScales = (report: Report): Report => {
      if (report === undefined) return undefined;
      const { scales: _, ...numbers } = report;
      if (sentVersion === this.#scalesVersion || this.#scales === undefined) return numbers;
      sentVersion = this.#scalesVersion;
      return { ...numbers, scales: this.#scales };
    };
    return {
      report: () => {
        const report = this.#take();
        return report instanceof Promise ? report.then(withScales) : withScales(report);
      },
      renew: () => {
        sentVersion = 0;
      },
    };
  }

  #take(): Report | Promise<Report> {
    const nowMs = this.#nowMs();
    if (this.#pending !== undefined) return this.#pending;
    if (nowMs - this.#takenAtMs < SHARED_MS) return this.#report;
    this.#takenAtMs = nowMs;
    const report = this.#source();
    if (!(report instanceof Promise)) {
      this.#keepScales(report);
      this.#report = report;
      return report;
    }
    const finish = (late: Report): Report => {
      this.#keepScales(late);
      if (this.#pending === pending) this.#pending = undefined;
      return late;
    };
    const pending: Promise<Report> = report.then(finish, () => finish(undefined));
    this.#pending = pending;
    this.#report = pending;
    return pending;
  }

  #keepScales(report: Report): void {
    if (report?.scales !== undefined) {
      this.#scales = report.scales;
      this.#scalesVersion += 1;
    }
  }
}

export interface ReportReceiver {
  readonly report: ReportSource;
  /** The next report contains the scales: the coordinator has accepted the node. */
  renew(): void;
}
