/**
 * The queue of agents before the upgrade. All agents of a coordinator may come at once, after a restart of it; they are let in at the
 * rate that the event loop bears, in order of arrival. An agent that would wait too long is asked to come back later, each at an instant
 * of its own. While agents wait, or are asked to wait, leases of nodes without a connection do not run: their agents may be among these.
 */
import type { Clocks } from '../clocks.ts';
import { AdmissionRate, type LoopSample } from './admission-rate.ts';

export interface AdmissionOptions {
  readonly clocks: Pick<Clocks, 'nowMs'>;
  /** Agents were waiting for `heldMs`. */
  onHeld(heldMs: number): void;
  /** What the loop did since the last call. Default: of this process. */
  readonly loop?: () => Pick<LoopSample, 'utilization'>;
}

/** A connection that waits to be let in. */
export interface Applicant {
  /** The connection was closed in the meantime. */
  readonly isGone: () => boolean;
  readonly admit: () => void;
}

const TICK_MS = 50;
/** The SDK gives up an upgrade after 5 s. */
const MAX_WAIT_MS = 3_000;
/** The longest time after which an agent is asked to come back. */
const MAX_RETRY_MS = 30_000;
/** Agents that were asked to come back have come by then, milliseconds after their instant. */
const RETURN_WITHIN_MS = 5_000;
/** Held time is reported in portions of this length, milliseconds. */
const HELD_PORTION_MS = 250;

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #rate = new AdmissionRate();
  readonly #loop: () => Pick<LoopSample, 'utilization'>;
  #waiting: Applicant[] = [];
  /** First of `#waiting` that still waits. */
  #first = 0;
  #credit: number;
  #timer: NodeJS.Timeout | undefined;
  #lastTickMs = 0;
  /** Instant for which the last agent was asked to come back. */
  #returnsUntilMs = Number.NEGATIVE_INFINITY;
  #heldMs = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#loop = options.loop ?? ownLoop();
    this.#credit = this.#perTick;
  }

  /** Connections that wait now. */
  get size(): number {
    return this.#waiting.length - this.#first;
  }

  /** Lets the applicant in, now or when it is its turn. Returns instead after how many milliseconds it should come back. */
  enter(applicant: Applicant): number | undefined {
    if (this.size === 0 && this.#credit >= 1) {
      this.#credit -= 1;
      this.#start();
      applicant.admit();
      return undefined;
    }
    if (((this.size + 1) / this.#rate.perSecond) * 1_000 > MAX_WAIT_MS) return this.#defer();
    this.#waiting.push(applicant);
    this.#start();
    return undefined;
  }

  /** Those that wait are not let in any more; their connections are the caller's. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#waiting = [];
    this.#first = 0;
  }

  get #perTick(): number {
    return (this.#rate.perSecond * TICK_MS) / 1_000;
  }

  /** Agents that come back later are spread over the time that it takes to let them in. */
  #defer(): number {
    const nowMs = this.#options.clocks.nowMs();
    this.#returnsUntilMs = Math.max(this.#returnsUntilMs, nowMs + MAX_WAIT_MS / 2) + 1_000 / this.#rate.perSecond;
    this.#returnsUntilMs = Math.min(this.#returnsUntilMs, nowMs + MAX_RETRY_MS);
    this.#start();
    return this.#returnsUntilMs - nowMs;
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
    this.#credit = Math.min(this.#perTick, this.#credit + this.#perTick);
    this.#admitWaiting();
    if (isHolding || this.#credit < this.#perTick) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #hold(elapsedMs: number, isHolding: boolean): void {
    this.#heldMs += elapsedMs;
    if (this.#heldMs === 0 || (isHolding && this.#heldMs < HELD_PORTION_MS)) return;
    this.#options.onHeld(this.#heldMs);
    this.#heldMs = 0;
  }

  #admitWaiting(): void {
    while (this.#first < this.#waiting.length && this.#credit >= 1) {
      const applicant = this.#waiting[this.#first++]!;
      if (applicant.isGone()) continue;
      this.#credit -= 1;
      applicant.admit();
    }
    if (this.#first < this.#waiting.length && this.#first < 1_000) return;
    this.#waiting = this.#waiting.slice(this.#first);
    this.#first = 0;
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
