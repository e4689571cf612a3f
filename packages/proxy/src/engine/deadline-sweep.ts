/**
 * One coarse timer for all deadlines. To set a deadline is to write a number, the only cost for a request. Every `SWEEP_MS` all
 * connections are checked. With 10,000 connections a sweep takes well under a millisecond, and no deadline needs to be finer. Expired
 * deadlines are handled a few at a time: closing a connection takes about 15 µs, and hundreds may expire together.
 *
 * Time in which this process did not run does not count. What has arrived in it is still unread, and the other end may have been stopped
 * with the same machine. All deadlines move by it.
 */

/** Time between sweeps: the longest delay of a deadline, milliseconds. */
export const SWEEP_MS = 200;
/** Expired deadlines that are handled in one turn of the event loop. */
const PASSED_AT_ONCE = 16;
/** A sweep that is later than this follows a pause of the process, milliseconds. */
const PAUSE_MS = 1_000;

export interface Deadlined {
  /** Instant on the engine's clock; `Infinity` for none. */
  deadlineMs: number;
  /** The deadline has passed. Sets another one or ends the member. */
  onDeadline(nowMs: number): void;
}

export class DeadlineSweep {
  readonly #members = new Set<Deadlined>();
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;
  /** Members that the present sweep has still to check; `undefined` between sweeps. */
  #left: Iterator<Deadlined> | undefined;
  /** Start of the present sweep: all its findings have the same instant, however many turns it takes. */
  #sweptAtMs = 0;
  #nextTurn: NodeJS.Immediate | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  start(): void {
    let lastMs = this.#now();
    this.#timer ??= setInterval(() => {
      const nowMs = this.#now();
      const lateMs = nowMs - lastMs - SWEEP_MS;
      lastMs = nowMs;
      if (lateMs >= PAUSE_MS) for (const member of this.#members) member.deadlineMs += lateMs;
      this.sweep();
    }, SWEEP_MS);
  }

  add(member: Deadlined): void {
    this.#members.add(member);
  }

  remove(member: Deadlined): void {
    this.#members.delete(member);
  }

  /** Checks all members once, members of a sweep in progress first. */
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
