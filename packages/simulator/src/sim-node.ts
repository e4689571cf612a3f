/** One node: one core that serves requests in the order they come, at a speed that may change while it does. */
import type { EventHeap } from './event-heap.ts';
import { RecentLatencies } from './recent-latencies.ts';

/** A request at a node. */
export interface Job {
  readonly id: number;
  readonly sentMs: number;
  /** Milliseconds it takes at speed 1. */
  readonly workMs: number;
  /** The client no longer waits for it: a queued one is not begun. */
  isAbandoned: boolean;
  /** Requests at the node when it came, itself not counted. */
  inFlightBefore: number;
  /** It is at the node, waiting or being served. */
  isInFlight: boolean;
  /** Set when it was begun. */
  beganMs: number;
}

export interface SimNodeOptions {
  readonly index: number;
  readonly speed: number;
  readonly heap: EventHeap;
  readonly now: () => number;
  /** `busyMs` is what it took the node. */
  readonly onDone: (node: SimNode, job: Job, busyMs: number) => void;
}

export class SimNode {
  readonly index: number;
  readonly speed: number;
  /** What others leave of its speed, 1 all. */
  #left = 1;
  readonly #options: SimNodeOptions;
  readonly #queue: Job[] = [];
  #head = 0;
  #current: Job | undefined;
  /** Of the present job, milliseconds at speed 1, as of `#sinceMs`. */
  #workLeftMs = 0;
  #sinceMs = 0;
  /** Finishing events of another number are outdated. */
  #plan = 0;
  #busyMs = 0;
  /** Requests here that somebody waits for. */
  inFlight = 0;
  /** Answers with an error at once, when set: milliseconds it takes for one. */
  failsWithinMs: number | undefined;
  /** As it would answer a probe. */
  readonly recent: RecentLatencies = new RecentLatencies();

  constructor(options: SimNodeOptions) {
    this.#options = options;
    this.index = options.index;
    this.speed = options.speed;
  }

  /** Work at speed 1 done per millisecond. */
  get effectiveSpeed(): number {
    return this.speed * this.#left;
  }

  /** Leaves the node this share of its speed from now on. */
  slowTo(left: number): void {
    this.#settle();
    this.#left = left;
    if (this.#current) this.#planEnd();
  }

  take(job: Job): void {
    job.inFlightBefore = this.inFlight;
    job.isInFlight = true;
    this.inFlight++;
    this.#queue.push(job);
    if (this.#current === undefined) this.#next();
  }

  /** Its client has gone. */
  abandon(job: Job): void {
    job.isAbandoned = true;
    if (job.isInFlight) {
      job.isInFlight = false;
      this.inFlight--;
    }
  }

  /** Milliseconds it would take to be done with everything, at the speed of now. */
  backlogMs(): number {
    this.#settle();
    let workMs = this.#workLeftMs;
    for (let i = this.#head; i < this.#queue.length; i++)
      if (!this.#queue[i]!.isAbandoned) workMs += this.#queue[i]!.workMs;
    return workMs / this.effectiveSpeed;
  }

  /** Milliseconds it was at work since it was asked last. */
  takeBusyMs(): number {
    this.#settle();
    const busyMs = this.#busyMs;
    this.#busyMs = 0;
    return busyMs;
  }

  #next(): void {
    const queue = this.#queue;
    this.#current = undefined;
    while (this.#head < queue.length) {
      const job = queue[this.#head]!;
      this.#head++;
      if (this.#head > 64 && this.#head * 2 > queue.length) {
        queue.splice(0, this.#head);
        this.#head = 0;
      }
      if (job.isAbandoned) continue;
      const nowMs = this.#options.now();
      job.beganMs = nowMs;
      this.#current = job;
      this.#workLeftMs =
        this.failsWithinMs === undefined ? job.workMs : Math.min(job.workMs, this.failsWithinMs * this.effectiveSpeed);
      this.#sinceMs = nowMs;
      this.#planEnd();
      return;
    }
  }

  #settle(): void {
    const nowMs = this.#options.now();
    if (this.#current) {
      const passedMs = nowMs - this.#sinceMs;
      this.#workLeftMs = Math.max(0, this.#workLeftMs - passedMs * this.effectiveSpeed);
      this.#busyMs += passedMs;
    }
    this.#sinceMs = nowMs;
  }

  #planEnd(): void {
    const plan = ++this.#plan;
    this.#options.heap.plan(this.#sinceMs + this.#workLeftMs / this.effectiveSpeed, () => {
      if (plan === this.#plan) this.#end();
    });
  }

  #end(): void {
    this.#settle();
    const job = this.#current!;
    this.#workLeftMs = 0;
    const wasWanted = job.isInFlight;
    this.recent.add(job.inFlightBefore, this.#options.now() - job.sentMs);
    if (wasWanted) {
      job.isInFlight = false;
      this.inFlight--;
    }
    this.#next();
    if (wasWanted) this.#options.onDone(this, job, this.#options.now() - job.beganMs);
  }
}
