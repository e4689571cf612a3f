/**
 * Number of agents per second that the event loop can admit: rises while the loop is idle, falls while it is overloaded. A faster
 * admission would delay the heartbeats of registered agents.
 *
 * @see D. Chiu, R. Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance", 1989: multiplicative decrease
 *   at overload, additive increase otherwise.
 */

/** State of the event loop since the last sample. */
export interface LoopSample {
  /** Share of the time in which the loop was busy or the system did not run it, 0–1. */
  readonly utilization: number;
  /** Delay of a timer of the loop, milliseconds. */
  readonly lateMs: number;
}

/** Registrations per second: initial value, minimum and maximum. */
const START = 500;
const MIN = 200;
const MAX = 4_000;
/** Beyond these values the loop is overloaded: heartbeats are delayed, although far less than makes a node suspect. */
const MAX_UTILIZATION = 0.9;
const MAX_LATE_MS = 100;
const DECREASE = 0.8;
const INCREASE = 1.1;

export class AdmissionRate {
  #perSecond = START;

  /** Agents per second, 200–4,000. */
  get perSecond(): number {
    return this.#perSecond;
  }

  /** Takes a sample of some tens of milliseconds in which agents waited for admission. */
  take({ utilization, lateMs }: LoopSample): void {
    const isOverloaded = utilization > MAX_UTILIZATION || lateMs > MAX_LATE_MS;
    this.#perSecond = Math.min(MAX, Math.max(MIN, this.#perSecond * (isOverloaded ? DECREASE : INCREASE)));
  }
}
