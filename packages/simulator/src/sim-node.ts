/** A node with one core. It serves requests in order of arrival, at a speed that may change during a request. */
import type { EventHeap } from './event-heap.ts';
import { RecentLatencies } from './recent-latencies.ts';

/** A request at a node. */
export interface Job {
  readonly sentMs: number;
  /** Work of the request, milliseconds at speed 1. */
  readonly workMs: number;
  /** Requests at the node at its arrival, without itself. */
  inFlightBefore: number;
  /** Whether the request is queued or being served, and its client waits. */
  isInFlight: boolean;
  /** Begin of the service. */
  beganMs: number;
}

/** Weight of the newest answer in the smoothed service time. */
const SERVICE_ALPHA = 0.1;

/** How a node answers: without errors, with errors, by resetting connections, or not at all. */
export type NodeHealth = 'well' | 'fails' | 'breaks' | 'crashed';

/** The state of a node that proxies and measurements read. */
export interface NodeStanding {
  readonly index: number;
  readonly speed: number;
  readonly weight: number;
  readonly upAtMs: number;
  readonly health: NodeHealth;
  readonly isEnabled: boolean;
  readonly isGone: boolean;
  /** Time at which the node left; Infinity while it is present. */
  readonly goneAtMs: number;
  /** Queued and served requests whose client waits. */
  readonly inFlight: number;
  /** Number of sessions on the node. */
  readonly sessions: number;
  /** Request rate of these sessions, requests per second. */
  readonly demand: number;
}

export interface SimNodeOptions<J extends Job> {
  readonly index: number;
  readonly speed: number;
  readonly weight: number;
  readonly upAtMs: number;
  readonly heap: EventHeap;
  readonly now: () => number;
  /** Called for each completed request that its client waits for. `busyMs` is the service time. */
  readonly onDone: (node: SimNode<J>, job: J, busyMs: number) => void;
}

export class SimNode<J extends Job = Job> implements NodeStanding {
  readonly index: number;
  readonly speed: number;
  readonly weight: number;
  readonly upAtMs: number;
  health: NodeHealth = 'well';
  /** Whether the node gets new sessions and requests without a session. */
  isEnabled = true;
  /** Time at which the node left; Infinity while it is present. */
  goneAtMs: number = Number.POSITIVE_INFINITY;
  /** Service time after which a failing node ends a request. */
  failsWithinMs = 0;
  /** Queued and served requests whose client waits. */
  inFlight = 0;
  /** Number of sessions on the node. */
  sessions = 0;
  /** Request rate of these sessions, requests per second. */
  demand = 0;
  /** Smoothed busy share of the time, as of the last report, 0 … 1. */
  utilisation = 0;
  /** Smoothed service time, milliseconds; NaN before the first request. */
  serviceMs: number = Number.NaN;
  /** Latencies from which the node answers probes. */
  readonly recent: RecentLatencies = new RecentLatencies();
  /** Fraction of the speed that antagonists leave, 0 … 1. */
  #left = 1;
  /** Fraction of the speed during the warm-up, 0 … 1. */
  #warmth = 1;
  readonly #options: SimNodeOptions<J>;
  readonly #queue: J[] = [];
  #head = 0;
  #current: J | undefined;
  /** Remaining work of the current request at `#sinceMs`, milliseconds at speed 1. */
  #workLeftMs = 0;
  #sinceMs = 0;
  /** Number of the valid completion event; events with another number are ignored. */
  #plan = 0;
  #busyMs = 0;

  constructor(options: SimNodeOptions<J>) {
    this.#options = options;
    this.index = options.index;
    this.speed = options.speed;
    this.weight = options.weight;
    this.upAtMs = options.upAtMs;
  }

  /** Work done per millisecond now, milliseconds at speed 1. */
  get effectiveSpeed(): number {
    return this.speed * this.#left * this.#warmth;
  }

  get isGone(): boolean {
    return this.goneAtMs !== Number.POSITIVE_INFINITY;
  }

  /** Records the service time of a completed request. */
  finished(busyMs: number): void {
    this.serviceMs = this.serviceMs >= 0 ? this.serviceMs + SERVICE_ALPHA * (busyMs - this.serviceMs) : busyMs;
  }

  /** Sets the fraction of the speed that antagonists leave. */
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

  /** The client has aborted: a queued request is dropped, a request in service is completed without an answer. */
  abandon(job: J): void {
    if (!job.isInFlight) return;
    job.isInFlight = false;
    this.inFlight--;
  }

  /** Drops all requests. Returns the requests whose client waits. */
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

  /** Time to complete all requests at the current speed, milliseconds. */
  backlogMs(): number {
    this.#settle();
    let workMs = this.#workLeftMs;
    for (let i = this.#head; i < this.#queue.length; i++)
      if (this.#queue[i]!.isInFlight) workMs += this.#queue[i]!.workMs;
    return workMs / this.effectiveSpeed;
  }

  /** Busy time since the previous call, milliseconds. */
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
