/** Schedules heartbeats: at the coordinator's pace, earlier after a change, at most four a second. */
import type { HeartbeatMessage } from '@rollcall/protocol';
import type { Timers } from './timers.ts';

/** The numbers of one heartbeat. */
export type HeartbeatReport = Omit<HeartbeatMessage, 'type' | 'seq'>;

/**
 * Returns the numbers of the node. `undefined`, or a rejection, sends no heartbeat: the node does not answer, and the
 * coordinator detects its silence.
 */
export type ReportSource = () => HeartbeatReport | undefined | Promise<HeartbeatReport | undefined>;

/** Shortest time between two heartbeats, in milliseconds. */
export const MIN_GAP_MS = 250;

export class Heartbeats {
  readonly #timers: Timers;
  readonly #report: ReportSource;
  readonly #send: (message: HeartbeatMessage) => void;
  #everyMs = 0;
  #seq = 0;
  #run = 0;
  #isAsking = false;
  #lastMs = Number.NEGATIVE_INFINITY;
  #cancel: () => void = () => {};
  #cancelNow: () => void = () => {};

  constructor(timers: Timers, report: ReportSource, send: (message: HeartbeatMessage) => void) {
    this.#timers = timers;
    this.#report = report;
    this.#send = send;
  }

  /** Sends a heartbeat at once and then one every `everyMs`. A running schedule is restarted; sequence numbers continue. */
  start(everyMs: number): void {
    this.#run += 1;
    this.#isAsking = false;
    this.#everyMs = everyMs;
    this.#beat();
  }

  /** Changes the interval of a running schedule. */
  pace(everyMs: number): void {
    if (this.#everyMs === 0) return;
    this.#everyMs = everyMs;
    this.#schedule();
  }

  stop(): void {
    this.#run += 1;
    this.#everyMs = 0;
    this.#cancel();
    this.#cancelNow();
  }

  /** Sends a heartbeat now, unless one was sent less than 250 ms ago. Returns whether it was sent. */
  soon(): boolean {
    if (this.#everyMs === 0 || this.#isAsking || this.#timers.nowMs() - this.#lastMs < MIN_GAP_MS) return false;
    this.#beat();
    return true;
  }

  /**
   * Sends a heartbeat for a change that must not wait for the next period. It is sent now, or as soon as the last heartbeat
   * is 250 ms old and no report is pending. Has no effect while stopped: the first heartbeat contains the change.
   */
  now(): void {
    this.#cancelNow();
    if (this.#everyMs === 0 || this.soon()) return;
    const leftMs = MIN_GAP_MS - (this.#timers.nowMs() - this.#lastMs);
    this.#cancelNow = this.#timers.after(leftMs > 0 ? leftMs : MIN_GAP_MS, () => this.now());
  }

  #schedule(): void {
    this.#cancel();
    this.#cancel = this.#timers.after(this.#everyMs, () => this.#beat());
  }

  #beat(): void {
    this.#schedule();
    // A pending report is not requested a second time.
    if (this.#isAsking) return;
    this.#lastMs = this.#timers.nowMs();
    const report = this.#report();
    if (!(report instanceof Promise)) {
      this.#sendReport(report);
      return;
    }
    this.#isAsking = true;
    const run = this.#run;
    const done = (late: HeartbeatReport | undefined) => {
      if (run !== this.#run) return;
      this.#isAsking = false;
      this.#sendReport(late);
    };
    report.then(done, () => done(undefined));
  }

  #sendReport(report: HeartbeatReport | undefined): void {
    if (report !== undefined) this.#send({ type: 'heartbeat', seq: ++this.#seq, ...report });
  }
}
