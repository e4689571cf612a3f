/** When heartbeats are sent: at the coordinator's pace, sooner when something has changed, at most four a second. */
import type { HeartbeatMessage } from '@rollcall/protocol';
import type { Timers } from './timers.ts';

/** The numbers of one heartbeat. */
export type HeartbeatReport = Omit<HeartbeatMessage, 'type' | 'seq'>;

/**
 * Asks the node for its numbers. `undefined` sends no heartbeat: the node does not answer, and its silence is the
 * message. A rejection counts as `undefined`.
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

  /** Starts with a heartbeat at once; one that runs already goes on from here. */
  start(everyMs: number): void {
    this.#run += 1;
    this.#isAsking = false;
    this.#everyMs = everyMs;
    this.#beat();
  }

  /** Changes the pace of a running one. */
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

  /** The load has changed: sends a heartbeat now, unless one was sent less than 250 ms ago. Returns whether it did. */
  soon(): boolean {
    if (this.#everyMs === 0 || this.#isAsking || this.#timers.nowMs() - this.#lastMs < MIN_GAP_MS) return false;
    this.#beat();
    return true;
  }

  /**
   * A change that must not wait for the next period: sends a heartbeat now or, where a heartbeat was sent less than 250 ms
   * ago or a report is being waited for, as soon as that is over. Does nothing while stopped: the first heartbeat has it.
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
    // A report that takes longer than a heartbeat is waited for, not asked for twice.
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
