/**
 * The page that reports whether a program is ready for new work. Its answers never decide whether the program is alive. A page
 * that queries a database, or is queued behind requests of users, is late when the program is needed most.
 */
import { isReadyStatus, type ProbeAnswer, probe } from './probe.ts';

/** An answer after more than this is late, in milliseconds. */
export const LATE_MS = 2_000;
/** Interval of requests while answers are prompt, in milliseconds. */
export const INTERVAL_MS = 1_000;

/** Time limit of a request, in milliseconds. */
const GIVE_UP_MS = 30_000;
/** The pause after a late answer doubles from one second up to this, in milliseconds. */
const MAX_PAUSE_MS = 30_000;
const FIRST_PAUSE_MS = 1_000;
/** A heartbeat that is up to this much early still causes a request, in milliseconds. */
const JITTER_MS = 200;

export interface ReadyPageOptions {
  readonly port: number;
  readonly path: string;
  /** Default false. */
  readonly isTls?: boolean;
  /** Default `LATE_MS`. */
  readonly lateMs?: number;
  /** Default `INTERVAL_MS`. */
  readonly intervalMs?: number;
  readonly nowMs: () => number;
}

export class ReadyPage {
  readonly #options: ReadyPageOptions;
  readonly #lateMs: number;
  readonly #intervalMs: number;
  readonly #abort = new AbortController();
  #openSinceMs: number | undefined;
  #answer: Promise<ProbeAnswer> = Promise.resolve({ type: 'unconnected' });
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #pauseMs = 0;
  #wasLate = false;
  #status: number | undefined;

  constructor(options: ReadyPageOptions) {
    this.#options = options;
    this.#lateMs = options.lateMs ?? LATE_MS;
    this.#intervalMs = options.intervalMs ?? INTERVAL_MS;
  }

  /** The last answer was HTTP below 500. True before the first: the program was ready when it was registered. */
  get isReady(): boolean {
    return this.#status === undefined || isReadyStatus(this.#status);
  }

  /** Status of the last answer; 0 if it was not HTTP, `undefined` before the first. */
  get status(): number | undefined {
    return this.#status;
  }

  /** The last answer, or the pending one, is late. */
  get isLate(): boolean {
    const { nowMs } = this.#options;
    return this.#wasLate || (this.#openSinceMs !== undefined && nowMs() - this.#openSinceMs > this.#lateMs);
  }

  /**
   * Sends a request, unless one is open or a pause is not over, and waits up to `waitMs` for the answer. Returns `undefined` without
   * a request or an answer; a late answer is used when it arrives. Never rejects.
   */
  async request(addresses: readonly string[], waitMs: number): Promise<ProbeAnswer | undefined> {
    if (this.#openSinceMs === undefined) {
      if (this.#options.nowMs() < this.#nextAtMs || this.#abort.signal.aborted) return undefined;
      this.#answer = this.#question(addresses);
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, waitMs, undefined);
    });
    const answer = await Promise.race([this.#answer, late]);
    clearTimeout(timer);
    return answer;
  }

  /** Aborts an open request and sends no more. */
  close(): void {
    this.#abort.abort();
  }

  async #question(addresses: readonly string[]): Promise<ProbeAnswer> {
    const { port, path, isTls = false, nowMs } = this.#options;
    const askedAtMs = nowMs();
    this.#openSinceMs = askedAtMs;
    const { signal } = this.#abort;
    const answer = await probe({ port, addresses, method: 'GET', path, isTls, timeoutMs: GIVE_UP_MS, signal });
    this.#openSinceMs = undefined;
    if (answer.type === 'answered') this.#status = answer.status;
    // A refused connect is about the listener, not about the page.
    this.#wasLate = answer.type !== 'refused' && (answer.type !== 'answered' || nowMs() - askedAtMs > this.#lateMs);
    if (this.#wasLate) {
      this.#pauseMs = this.#pauseMs === 0 ? FIRST_PAUSE_MS : Math.min(MAX_PAUSE_MS, 2 * this.#pauseMs);
      this.#nextAtMs = nowMs() + Math.max(this.#pauseMs, this.#intervalMs);
    } else {
      this.#pauseMs = 0;
      this.#nextAtMs = askedAtMs + this.#intervalMs - JITTER_MS;
    }
    return answer;
  }
}
