/**
 * The queue of agents before the upgrade. After a restart of the coordinator all its agents may connect at once. They are admitted in
 * order of arrival, at the rate that the event loop can process. An agent that would wait too long has to reconnect later, each at
 * its own instant.
 *
 * While agents are queued or deferred, leases of nodes without a connection are paused: their agents may be among the waiting ones.
 */
import type { Clocks } from '../clocks.ts';
import { AdmissionRate, type LoopSample } from './admission-rate.ts';

export interface AdmissionOptions {
  readonly clocks: Pick<Clocks, 'nowMs'>;
  /** Reports that agents have waited for `heldMs`. */
  onHeld(heldMs: number): void;
  /** State of the loop since the last call. Default: the loop of this process. */
  readonly loop?: () => Pick<LoopSample, 'utilization'>;
}

/** A connection that waits for admission. Either `admit` or `defer` is called, once, unless it is gone. */
export interface Applicant {
  /** The connection has closed. */
  readonly isGone: () => boolean;
  readonly admit: () => void;
  /** The agent has to reconnect after this time, milliseconds. */
  readonly defer: (retryMs: number) => void;
}

interface Waiting extends Applicant {
  readonly sinceMs: number;
}

const TICK_MS = 50;
/** After a delay of the loop, agents are admitted that were due in at most this time, milliseconds. */
const MAX_CREDIT_MS = 500;
/** An agent that would wait longer is deferred, milliseconds. */
const MAX_WAIT_MS = 3_000;
/** An agent that has waited longer is deferred too, milliseconds: the SDK gives up an upgrade after 5 s. */
const GIVEN_UP_MS = 4_500;
/** Weight of the newest tick in the measured rate. */
const ALPHA = 0.2;
/** Upper bound of the time after which a deferred agent has to reconnect, milliseconds. */
const MAX_RETRY_MS = 30_000;
/** Deferred agents are expected for this time after their instant, milliseconds. */
const RETURN_WITHIN_MS = 5_000;
/** Held time is reported in steps of this length, milliseconds. */
const HELD_PORTION_MS = 250;

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #rate = new AdmissionRate();
  readonly #loop: () => Pick<LoopSample, 'utilization'>;
  #waiting: Waiting[] = [];
  /** Index in `#waiting` of the first entry that still waits. */
  #first = 0;
  #credit: number;
  /** Measured admissions per second while agents waited; `undefined` before the first. */
  #reachedPerSecond: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastTickMs = 0;
  /** Instant at which the last deferred agent has to reconnect. */
  #returnsUntilMs = Number.NEGATIVE_INFINITY;
  #heldMs = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#loop = options.loop ?? ownLoop();
    this.#credit = this.#perTick;
  }

  /** Number of waiting connections. */
  get size(): number {
    return this.#waiting.length - this.#first;
  }

  /** Admits the applicant at once or in its turn, or defers it. */
  enter(applicant: Applicant): void {
    this.#start();
    if (this.size === 0 && this.#credit >= 1) {
      this.#credit -= 1;
      applicant.admit();
    } else if (((this.size + 1) / this.#expectedPerSecond) * 1_000 > MAX_WAIT_MS) this.#defer(applicant);
    else this.#waiting.push({ ...applicant, sinceMs: this.#options.clocks.nowMs() });
  }

  /** Stops. Waiting connections are no longer admitted; the caller closes them. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#waiting = [];
    this.#first = 0;
  }

  get #perTick(): number {
    return (this.#rate.perSecond * TICK_MS) / 1_000;
  }

  /** The permitted rate may be higher than the rate that a delayed loop reaches. */
  get #expectedPerSecond(): number {
    return Math.min(this.#rate.perSecond, this.#reachedPerSecond ?? Number.POSITIVE_INFINITY);
  }

  /** Deferred agents are spread over the time that their admission takes. */
  #defer(applicant: Applicant): void {
    const nowMs = this.#options.clocks.nowMs();
    const nextMs = Math.max(this.#returnsUntilMs, nowMs + MAX_WAIT_MS / 2) + 1_000 / this.#expectedPerSecond;
    this.#returnsUntilMs = Math.min(nextMs, nowMs + MAX_RETRY_MS);
    applicant.defer(this.#returnsUntilMs - nowMs);
  }

  #start(): void {
    if (this.#timer !== undefined) return;
    this.#lastTickMs = this.#options.clocks.nowMs();
    this.#loop();
    this.#timer = setInterval(() => this.pass(), TICK_MS);
    this.#timer.unref();
  }

  /** One tick now. Public so that tests need not wait for the timer. */
  pass(): void {
    const nowMs = this.#options.clocks.nowMs();
    const elapsedMs = nowMs - this.#lastTickMs;
    this.#lastTickMs = nowMs;
    const { utilization } = this.#loop();
    const isHolding = this.size > 0 || nowMs < this.#returnsUntilMs + RETURN_WITHIN_MS;
    if (this.size > 0) this.#rate.take({ utilization, lateMs: Math.max(0, elapsedMs - TICK_MS) });
    this.#hold(isHolding ? elapsedMs : 0, isHolding);
    const earned = (this.#rate.perSecond * Math.min(elapsedMs, MAX_CREDIT_MS)) / 1_000;
    this.#credit = this.size > 0 ? this.#credit + earned : Math.min(this.#perTick, this.#credit + earned);
    const admitted = this.#admitWaiting(nowMs);
    if (this.size > 0) this.#reached((admitted / Math.max(1, elapsedMs)) * 1_000);
    if (isHolding || this.#credit < this.#perTick) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #reached(perSecond: number): void {
    this.#reachedPerSecond = Math.max(1, perSecond * ALPHA + (this.#reachedPerSecond ?? perSecond) * (1 - ALPHA));
  }

  #hold(elapsedMs: number, isHolding: boolean): void {
    this.#heldMs += elapsedMs;
    if (this.#heldMs === 0 || (isHolding && this.#heldMs < HELD_PORTION_MS)) return;
    this.#options.onHeld(this.#heldMs);
    this.#heldMs = 0;
  }

  /** Returns the number of admitted agents. */
  #admitWaiting(nowMs: number): number {
    let admitted = 0;
    while (this.#first < this.#waiting.length && this.#credit >= 1) {
      const applicant = this.#waiting[this.#first++]!;
      if (applicant.isGone()) continue;
      if (nowMs - applicant.sinceMs > GIVEN_UP_MS) {
        this.#defer(applicant);
        continue;
      }
      this.#credit -= 1;
      admitted += 1;
      applicant.admit();
    }
    if (this.#first === this.#waiting.length || this.#first >= 1_000) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    return admitted;
  }
}

function ownLoop(): () => { readonly utilization: number } {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return { utilization };
  };
}
