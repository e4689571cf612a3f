/** One node: one core that serves requests in the order they come, at a speed that may change while it does. */
import type { EventHeap } from './event-heap.ts';
import { RecentLatencies } from './recent-latencies.ts';

/** A request at a node. */
export interface Job {
  readonly sentMs: number;
  /** Milliseconds it takes at speed 1. */
  readonly workMs: number;
  /** Requests at the node when it came, itself not counted. */
  inFlightBefore: number;
  /** It is at the node, waiting or being served. */
  isInFlight: boolean;
  /** Set when it was begun. */
  beganMs: number;
}

/** Weight of the newest answer in the smoothed service time. */
const SERVICE_ALPHA = 0.1;

/** How a node answers: well, with errors, by breaking connections, or not at all. */
export type NodeHealth = 'well' | 'fails' | 'breaks' | 'crashed';

/** A node from outside. */
export interface NodeStanding {
  readonly index: number;
  readonly speed: number;
  readonly weight: number;
  readonly upAtMs: number;
  readonly health: NodeHealth;
  readonly isEnabled: boolean;
  readonly isGone: boolean;
  /** When it has left; Infinity while it is there. */
  readonly goneAtMs: number;
  /** Sessions that live here. */
  readonly sessions: number;
  /** What these ask for, requests per second. */
  readonly demand: number;
}

export interface SimNodeOptions<J extends Job> {
  readonly index: number;
  readonly speed: number;
  readonly weight: number;
  readonly upAtMs: number;
  readonly heap: EventHeap;
  readonly now: () => number;
  /** `busyMs` is what it took the node. */
  readonly onDone: (node: SimNode<J>, job: J, busyMs: number) => void;
}

export class SimNode<J extends Job = Job> implements NodeStanding {
  readonly index: number;
  readonly speed: number;
  readonly weight: number;
  readonly upAtMs: number;
  health: NodeHealth = 'well';
  /** Takes new sessions and requests without one. */
  isEnabled = true;
  /** When it has left; Infinity while it is there. */
  goneAtMs: number = Number.POSITIVE_INFINITY;
  /** Work after which an ill node gives up a request. */
  failsWithinMs = 0;
  /** Requests here that somebody waits for. */
  inFlight = 0;
  /** Sessions that live here. */
  sessions = 0;
  /** What these ask for, requests per second. */
  demand = 0;
  /** Smoothed part of the time that it was at work, as its last report told. */
  utilisation = 0;
  /** Smoothed milliseconds of work per request; NaN before the first. */
  serviceMs: number = Number.NaN;
  /** As it would answer a probe. */
  readonly recent: RecentLatencies = new RecentLatencies();
  /** What others leave of its speed, 1 all. */
  #left = 1;
  /** What it has of its speed while it is cold, 1 all. */
  #warmth = 1;
  readonly #options: SimNodeOptions<J>;
  readonly #queue: J[] = [];
  #head = 0;
  #current: J | undefined;
  /** Of the present job, milliseconds at speed 1, as of `#sinceMs`. */
  #workLeftMs = 0;
  #sinceMs = 0;
  /** Finishing events of another number are outdated. */
  #plan = 0;
  #busyMs = 0;

  constructor(options: SimNodeOptions<J>) {
    this.#options = options;
    this.index = options.index;
    this.speed = options.speed;
    this.weight = options.weight;
    this.upAtMs = options.upAtMs;
  }

  /** Work at speed 1 done per millisecond. */
  get effectiveSpeed(): number {
    return this.speed * this.#left * this.#warmth;
  }

  get isGone(): boolean {
    return this.goneAtMs !== Number.POSITIVE_INFINITY;
  }

  /** An answer took it so long. */
  finished(busyMs: number): void {
    this.serviceMs = this.serviceMs >= 0 ? this.serviceMs + SERVICE_ALPHA * (busyMs - this.serviceMs) : busyMs;
  }

  /** Leaves the node this share of its speed from now on. */
  slowTo(left: number): void {
    this.#change(() => {
      this.#left = left;
    });
  }

  warmTo(warmth: number): void {
    this.#change(() => {
      this.#warmth = warmth;
    });
  }

  take(job: J): void {
    job.inFlightBefore = this.inFlight;
    job.isInFlight = true;
    this.inFlight++;
    this.#queue.push(job);
    if (this.#current === undefined) this.#next();
  }

  /** Its client has gone: a queued request is not begun, a begun one is served to its end for nobody. */
  abandon(job: J): void {
    if (!job.isInFlight) return;
    job.isInFlight = false;
    this.inFlight--;
  }

  /** Everything it holds is lost; returns what somebody waits for. */
  crash(): readonly J[] {
    this.#settle();
    const held = this.#current === undefined ? [] : [this.#current];
    const lost = [...held, ...this.#queue.slice(this.#head)].filter((job) => job.isInFlight);
    for (const job of lost) this.abandon(job);
    this.#queue.length = 0;
    this.#head = 0;
    this.#current = undefined;
    this.#workLeftMs = 0;
    this.#plan++;
    return lost;
  }

  /** Milliseconds it would take to be done with everything, at the speed of now. */
  backlogMs(): number {
    this.#settle();
    let workMs = this.#workLeftMs;
    for (let i = this.#head; i < this.#queue.length; i++)
      if (this.#queue[i]!.isInFlight) workMs += this.#queue[i]!.workMs;
    return workMs / this.effectiveSpeed;
  }

  /** Milliseconds it was at work since it was asked last. */
  takeBusyMs(): number {
    this.#settle();
    const busyMs = this.#busyMs;
    this.#busyMs = 0;
    return busyMs;
  }

  #change(what: () => void): void {
    this.#settle();
    what();
    if (this.#current) this.#planEnd();
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
      if (!job.isInFlight) continue;
      const nowMs = this.#options.now();
      job.beganMs = nowMs;
      this.#current = job;
      this.#workLeftMs =
        this.health === 'well' ? job.workMs : Math.min(job.workMs, this.failsWithinMs * this.effectiveSpeed);
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
    this.abandon(job);
    this.#next();
    if (wasWanted) this.#options.onDone(this, job, this.#options.now() - job.beganMs);
  }
}
