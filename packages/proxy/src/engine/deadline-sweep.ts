/**
 * One coarse timer for all deadlines. Setting a deadline is writing a number, which is all that the path of a request
 * pays; every `SWEEP_MS` all connections are looked at. With 10,000 connections a look takes well under a millisecond,
 * and no deadline here needs to be finer. What passes is acted upon a few at a time: to close a connection takes about
 * 15 µs, and hundreds may come to their end together.
 */

/** Time between sweeps: how late a deadline may be noticed, milliseconds. */
export const SWEEP_MS = 200;
/** Deadlines acted upon before requests have their turn again. */
const PASSED_AT_ONCE = 16;

export interface Deadlined {
  /** Instant on the engine's clock; `Infinity` for none. */
  deadlineMs: number;
  /** The deadline has passed. Sets another one or ends the thing. */
  onDeadline(nowMs: number): void;
}

export class DeadlineSweep {
  readonly #members = new Set<Deadlined>();
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;
  /** Members that the present sweep has still to look at; `undefined` between sweeps. */
  #left: Iterator<Deadlined> | undefined;
  /** When it began: what one sweep finds was found at one instant, however many turns it takes. */
  #sweptAtMs = 0;
  #nextTurn: NodeJS.Immediate | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.sweep(), SWEEP_MS);
  }

  add(member: Deadlined): void {
    this.#members.add(member);
  }

  remove(member: Deadlined): void {
    this.#members.delete(member);
  }

  /** Looks at all members once, those of a sweep that is under way first. */
  sweep(): void {
    if (this.#left === undefined) {
      this.#left = this.#members.values();
      this.#sweptAtMs = this.#now();
    }
    clearImmediate(this.#nextTurn);
    const nowMs = this.#sweptAtMs;
    let passed = 0;
    for (let next = this.#left.next(); next.done !== true; next = this.#left.next()) {
      const member = next.value;
      if (member.deadlineMs > nowMs) continue;
      member.deadlineMs = Number.POSITIVE_INFINITY;
      member.onDeadline(nowMs);
      if (++passed < PASSED_AT_ONCE) continue;
      this.#nextTurn = setImmediate(() => this.sweep());
      return;
    }
    this.#left = undefined;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    clearImmediate(this.#nextTurn);
    this.#left = undefined;
    this.#members.clear();
  }
}
