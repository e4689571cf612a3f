/**
 * The rules of a ready path: when it is requested, and what its answers mean. They never decide whether a program is alive. A page
 * that queries a database, or is queued behind requests of users, is late when the program is needed most.
 */

/** Longest ready path of a registration, in characters. */
export const MAX_READY_PATH = 256;
/** An answer after more than this is late, in milliseconds. */
export const READY_LATE_MS = 2_000;
/** Interval of requests while answers are prompt, in milliseconds. */
export const READY_INTERVAL_MS = 1_000;
/** Time limit of a request, in milliseconds. */
export const READY_GIVE_UP_MS = 30_000;

/** The pause after a late answer doubles from one second up to this, in milliseconds. */
const MAX_PAUSE_MS = 30_000;
const FIRST_PAUSE_MS = 1_000;
/** A check that is up to this much early still causes a request, in milliseconds. */
const JITTER_MS = 200;

/** Outcome of one request. */
export type ReadyAnswer =
  /** `status` is 0 for an answer that was not HTTP. */
  | { readonly type: 'answered'; readonly status: number }
  /** Nothing listens there. */
  | { readonly type: 'refused' }
  /** The connect was completed, but no answer came in time. */
  | { readonly type: 'silent' }
  /** Neither connected nor refused in time. */
  | { readonly type: 'unconnected' };

/** A status below 500 means ready. `status` is 0 for an answer that was not HTTP. */
export function isReadyStatus(status: number): boolean {
  return status > 0 && status < 500;
}

/** Why an answer means not ready. */
export function unreadyText(status: number, path: string): string {
  return `answers ${status === 0 ? 'no HTTP' : status} at ${path}`;
}

export interface ReadyPathOptions {
  /** Default `READY_LATE_MS`. */
  readonly lateMs?: number | undefined;
  /** Default `READY_INTERVAL_MS`. */
  readonly intervalMs?: number | undefined;
}

/** State of one ready path. At most one request is open at a time. All times are those of one monotonic clock. */
export class ReadyPath {
  readonly #lateMs: number;
  readonly #intervalMs: number;
  #openSinceMs: number | undefined;
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #pauseMs = 0;
  #wasLate = false;
  #status: number | undefined;

  constructor({ lateMs = READY_LATE_MS, intervalMs = READY_INTERVAL_MS }: ReadyPathOptions = {}) {
    this.#lateMs = lateMs;
    this.#intervalMs = intervalMs;
  }

  /** A request is open. */
  get isOpen(): boolean {
    return this.#openSinceMs !== undefined;
  }

  /** Status of the last answer; 0 if it was not HTTP, `undefined` before the first. */
  get status(): number | undefined {
    return this.#status;
  }

  /** The last answer was HTTP below 500. True before the first. */
  get isReady(): boolean {
    return this.#status === undefined || isReadyStatus(this.#status);
  }

  /** The last answer, or the pending one, is late. */
  isLate(nowMs: number): boolean {
    return this.#wasLate || (this.#openSinceMs !== undefined && nowMs - this.#openSinceMs > this.#lateMs);
  }

  /** No request is open, and the pause is over. */
  isDue(nowMs: number): boolean {
    return this.#openSinceMs === undefined && nowMs >= this.#nextAtMs;
  }

  /** A request was sent. */
  asked(nowMs: number): void {
    this.#openSinceMs = nowMs;
  }

  /** The open request has this outcome. */
  take(answer: ReadyAnswer, nowMs: number): void {
    const askedAtMs = this.#openSinceMs ?? nowMs;
    this.#openSinceMs = undefined;
    if (answer.type === 'answered') this.#status = answer.status;
    // A refused connect is about the listener, not about the page.
    this.#wasLate = answer.type !== 'refused' && (answer.type !== 'answered' || nowMs - askedAtMs > this.#lateMs);
    if (this.#wasLate) {
      this.#pauseMs = this.#pauseMs === 0 ? FIRST_PAUSE_MS : Math.min(MAX_PAUSE_MS, 2 * this.#pauseMs);
      this.#nextAtMs = nowMs + Math.max(this.#pauseMs, this.#intervalMs);
    } else {
      this.#pauseMs = 0;
      this.#nextAtMs = askedAtMs + this.#intervalMs - JITTER_MS;
    }
  }
}
