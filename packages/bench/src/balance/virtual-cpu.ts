/** One core that exists only as time: it costs nothing, so that twelve nodes fit on a machine and none takes from another. */

export interface CpuTimers {
  nowMs(): number;
  /** Calls `run` in about so many milliseconds; the function it returns cancels that. */
  after(ms: number, run: () => void): () => void;
}

/** Work that was handed in. */
interface Job {
  readonly arrivedAtMs: number;
  /** Milliseconds at speed 1; what is left of it. */
  workMs: number;
  readonly isWanted: () => boolean;
  readonly done: (serviceMs: number) => void;
}

/**
 * First come, first served, one at a time, each for its work by the speed, which may change meanwhile.
 *
 * What is next begins at the instant the one before was finished, not when a timer came round to say so: timers are late,
 * and a core that waits for them would be slower than it is said to be.
 */
export class VirtualCpu {
  readonly #timers: CpuTimers;
  readonly #jobs: Job[] = [];
  #speed: number;
  /** Until when the work of the first job is accounted for, and since when it is served. */
  #servedUntilMs = 0;
  #beganAtMs = 0;
  #busyMs = 0;
  #cancel: () => void = () => {};

  /** `speed`: work per time, above 0. */
  constructor(speed: number, timers: CpuTimers) {
    this.#speed = speed;
    this.#timers = timers;
  }

  /** Jobs that wait or are served. */
  get inFlight(): number {
    return this.#jobs.length;
  }

  /** Time it has been busy so far, milliseconds. */
  busyMs(): number {
    this.#advance(this.#timers.nowMs());
    return this.#busyMs;
  }

  /** Calls `done` with the time in service when it is served; one that nobody wants when its turn comes is passed over. */
  submit(workMs: number, isWanted: () => boolean, done: (serviceMs: number) => void): void {
    const nowMs = this.#timers.nowMs();
    this.#advance(nowMs);
    this.#jobs.push({ arrivedAtMs: nowMs, workMs, isWanted, done });
    if (this.#jobs.length === 1) this.#begin(nowMs);
    this.#arm();
  }

  setSpeed(speed: number): void {
    this.#advance(this.#timers.nowMs());
    this.#speed = speed;
    this.#arm();
  }

  /** Drops everything. */
  close(): void {
    this.#cancel();
    this.#jobs.length = 0;
  }

  /** Serves until `nowMs`. */
  #advance(nowMs: number): void {
    for (;;) {
      const job = this.#jobs[0];
      if (job === undefined || nowMs < this.#servedUntilMs) return;
      const finishedAtMs = this.#servedUntilMs + job.workMs / this.#speed;
      if (finishedAtMs > nowMs) {
        job.workMs -= (nowMs - this.#servedUntilMs) * this.#speed;
        this.#busyMs += nowMs - this.#servedUntilMs;
        this.#servedUntilMs = nowMs;
        return;
      }
      this.#busyMs += finishedAtMs - this.#servedUntilMs;
      const serviceMs = finishedAtMs - this.#beganAtMs;
      this.#jobs.shift();
      // Whoever is told may ask how busy we are: the next one has begun by then.
      const unwanted = this.#begin(finishedAtMs);
      job.done(serviceMs);
      for (const other of unwanted) other.done(0);
    }
  }

  /** Takes up the first job that somebody still waits for, and returns those before it. */
  #begin(atMs: number): readonly Job[] {
    const unwanted: Job[] = [];
    while (this.#jobs.length > 0 && !this.#jobs[0]!.isWanted()) unwanted.push(this.#jobs.shift()!);
    this.#beganAtMs = Math.max(atMs, this.#jobs[0]?.arrivedAtMs ?? atMs);
    this.#servedUntilMs = this.#beganAtMs;
    return unwanted;
  }

  #arm(): void {
    this.#cancel();
    const job = this.#jobs[0];
    if (job === undefined) return;
    const dueMs = this.#servedUntilMs + job.workMs / this.#speed - this.#timers.nowMs();
    this.#cancel = this.#timers.after(Math.max(0, dueMs), () => {
      this.#advance(this.#timers.nowMs());
      this.#arm();
    });
  }
}
