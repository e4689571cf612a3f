/**
 * One coarse timer for all deadlines. Setting a deadline is writing a number, which is all that the path of a request
 * pays; every `SWEEP_MS` all connections are looked at. With 10,000 connections a sweep takes well under a millisecond,
 * and no deadline here needs to be finer.
 */

/** Time between sweeps: how late a deadline may be noticed, milliseconds. */
export const SWEEP_MS = 200;

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

  /** Looks at all members once. */
  sweep(): void {
    const nowMs = this.#now();
    for (const member of this.#members) {
      if (member.deadlineMs > nowMs) continue;
      member.deadlineMs = Number.POSITIVE_INFINITY;
      member.onDeadline(nowMs);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#members.clear();
  }
}
