/**
 * How many agents a second the event loop bears: more while it has time left, fewer when it has not. Agents that are admitted faster
 * than that would delay the heartbeats of those that are registered.
 *
 * @see D. Chiu, R. Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance", 1989, for the shape: it reacts
 *   to overload at once, and looks for more in small steps.
 */

/** What the event loop did since the last look. */
export interface LoopSample {
  /** Part of the time that it was busy, or kept from running by the system, 0–1. */
  readonly utilization: number;
  /** How late a timer of the loop was, milliseconds. */
  readonly lateMs: number;
}

/** Registrations a second at the start, at least and at most. */
const START = 500;
const MIN = 200;
const MAX = 4_000;
/** The loop is overloaded beyond these: heartbeats wait for others then, although far less than it takes to become suspect. */
const MAX_UTILIZATION = 0.9;
const MAX_LATE_MS = 100;
const DECREASE = 0.8;
const INCREASE = 1.1;

export class AdmissionRate {
  #perSecond = START;

  /** Agents a second, 200–4,000. */
  get perSecond(): number {
    return this.#perSecond;
  }

  /** Takes a sample of some tens of milliseconds in which agents waited to be admitted. */
  take({ utilization, lateMs }: LoopSample): void {
    const isOverloaded = utilization > MAX_UTILIZATION || lateMs > MAX_LATE_MS;
    this.#perSecond = Math.min(MAX, Math.max(MIN, this.#perSecond * (isOverloaded ? DECREASE : INCREASE)));
  }
}
