/** Keeps a number of copies of a program running. A single copy that was never scaled is not restarted: the wrapper ends with it. */
import {
  type FailingCopy,
  inSeconds,
  jitteredBackoffMs,
  MAX_CAUSE_CHARACTERS,
  MAX_FAILING_COPIES,
  printable,
} from '@rollcall/protocol';
import type { WrappedEnd } from './wrapped-node.ts';

/** One run of one copy. */
export interface Copy {
  /** Time since its program became ready, milliseconds; 0 before. */
  readonly readyMs: number;
  run(): Promise<WrappedEnd>;
  /** `drainSessionsMs`: time for its sessions to end first; default `--drain-sessions` of the wrapper. */
  stop(reason: string, drainSessionsMs?: number): Promise<void>;
  /** Withdraws a stop. Returns false if it is too late. */
  withdrawStop(): boolean;
  /** Announces the present number of copies. */
  renew(): void;
  kill(): void;
}

export interface CopiesOptions {
  /** 1 or more. */
  readonly count: number;
  /** Creates the next run of copy `index`, 0 and up. Throws if there is no room for another copy: a failed attempt. */
  readonly newCopy: (index: number) => Copy;
  readonly say: (line: string) => void;
  readonly rng: () => number;
  readonly nowMs: () => number;
  /** Resolves after `delayMs`, or as soon as `cancelled` resolves. */
  readonly wait: (delayMs: number, cancelled: Promise<void>) => Promise<void>;
}

/** A copy that is ready for this long is healthy: it fails no longer, and its next pause is the first one. Milliseconds. */
const HEALTHY_MS = 10_000;
/** Longest pause after the first and after later failures. Each is shortened by up to half, at random. */
const PAUSES = { firstMs: 500, maxMs: 30_000 };
/** Time for the sessions of a surplus copy to end, milliseconds. */
export const SCALE_DOWN_MS = 300_000;

/** One copy number, from its first start until it is no longer needed. */
class Place {
  readonly index: number;
  copy: Copy | undefined;
  isKept = true;
  /** Failed attempts since the copy was last healthy. */
  attempts = 0;
  /** Cause of the last failure. */
  cause = '';
  /** Instant of the next attempt; `undefined` while one is running. */
  retryAtMs: number | undefined;
  /** Ends the present pause. */
  wake: () => void = () => {};

  constructor(index: number) {
    this.index = index;
  }

  get number(): number {
    return this.index + 1;
  }

  /** Its last attempt has failed, and it has not been healthy since. */
  get isFailing(): boolean {
    return this.attempts > 0 && (this.copy?.readyMs ?? 0) < HEALTHY_MS;
  }

  /** The copy is not restarted. */
  release(): void {
    this.isKept = false;
    this.wake();
  }

  /** Earlier failures do not count, and the next attempt begins at once. */
  retry(): void {
    this.attempts = 0;
    this.wake();
  }
}

export class Copies {
  readonly #options: CopiesOptions;
  readonly #places = new Map<number, Place>();
  #isStopping = false;
  #hasScaled = false;
  #readyEver = 0;
  #failedFirst: number[] = [];
  #onAllEnded: () => void = () => {};

  constructor(options: CopiesOptions) {
    this.#options = options;
  }

  /** Number of copies that are kept. */
  get kept(): number {
    let kept = 0;
    for (const { isKept } of this.#places.values()) if (isKept) kept++;
    return kept;
  }

  /** Copies that are kept and fail, by number. */
  failing(): FailingCopy[] {
    const nowMs = this.#options.nowMs();
    return [...this.#places.values()]
      .filter(({ isKept, isFailing }) => isKept && isFailing)
      .sort((one, other) => one.index - other.index)
      .slice(0, MAX_FAILING_COPIES)
      .map(({ number, attempts, cause, retryAtMs }) => ({
        copy: number,
        attempts,
        cause: printable(cause, MAX_CAUSE_CHARACTERS - 1),
        ...(retryAtMs !== undefined && { retryMs: Math.max(0, Math.round(retryAtMs - nowMs)) }),
      }));
  }

  /**
   * Runs all copies until they have ended. Resolves with the exit code of the wrapper.
   *
   * - One copy that was never scaled: the exit code of the copy.
   * - Several copies: a copy that ends is restarted with backoff. The code is 0 after `stop`, or that of the first failure if
   *   no copy became ready at its first start.
   */
  async run(): Promise<number> {
    const { count } = this.#options;
    const allEnded = new Promise<void>((resolve) => (this.#onAllEnded = resolve));
    let ownCode: number | undefined;
    for (let index = 0; index < count; index++)
      this.#open(index, (code) => {
        if (count === 1 && !this.#hasScaled) ownCode = code;
      });
    await allEnded;
    return ownCode ?? (this.#haveAllFailed() ? this.#failedFirst[0]! : 0);
  }

  /**
   * Keeps `count` copies from now on, 1 or more, and starts failing ones at once. Scaling down drains the newest copies, their
   * sessions for up to five minutes, and ends them. Scaling up first re-enables copies that still drain, then starts new copies.
   */
  scale(count: number): void {
    if (this.#isStopping) return;
    for (const place of this.#places.values()) if (place.isKept) place.retry();
    if (count === this.kept) return;
    this.#options.say(`keeping ${count} ${count === 1 ? 'copy' : 'copies'} from now on`);
    this.#hasScaled = true;
    this.#withdrawStop(count);
    for (let index = 0; this.kept < count; index++) if (!this.#places.has(index)) this.#open(index, () => {});
    const kept = [...this.#places.values()].filter(({ isKept }) => isKept).sort((a, b) => b.index - a.index);
    for (const place of kept.slice(0, Math.max(0, kept.length - count))) {
      place.release();
      void place.copy?.stop('scaled down', SCALE_DOWN_MS);
    }
  }

  /**
   * An operator has removed the node of copy `index`: its program ends, and one copy less is kept. The other copies announce the number.
   * After the last copy the wrapper ends. A later `scale` starts a new copy under the same number.
   */
  removed(index: number): void {
    const place = this.#places.get(index);
    if (place === undefined || this.#isStopping) return;
    const wasKept = place.isKept;
    place.release();
    void place.copy?.stop('removed', 0);
    if (!wasKept) return;
    this.#hasScaled = true;
    const { kept } = this;
    this.#options.say(
      kept === 0
        ? `copy ${place.number} was removed; no copy is left`
        : `copy ${place.number} was removed; keeping ${kept} ${kept === 1 ? 'copy' : 'copies'} from now on`,
    );
    for (const { isKept, copy } of this.#places.values()) if (isKept) copy?.renew();
  }

  /** Re-enables copies that are leaving, the lowest numbers first, while fewer than `count` are kept. */
  #withdrawStop(count: number): void {
    const leaving = [...this.#places.values()].filter(({ isKept }) => !isKept).sort((a, b) => a.index - b.index);
    for (const place of leaving) {
      if (this.kept >= count) return;
      if (place.copy?.withdrawStop() !== true) continue;
      place.isKept = true;
      this.#options.say(`copy ${place.number} was leaving and serves again`);
    }
  }

  /** Drains and ends all copies in parallel. Further calls have no effect. */
  async stop(reason: string): Promise<void> {
    this.#isStopping = true;
    await Promise.all(
      [...this.#places.values()].map((place) => {
        place.release();
        return place.copy?.stop(reason);
      }),
    );
  }

  /** Kills all copies now. */
  kill(): void {
    this.#isStopping = true;
    for (const place of this.#places.values()) {
      place.release();
      place.copy?.kill();
    }
  }

  /** Starts copies under a number until it is no longer needed. */
  #open(index: number, onOwnEnd: (code: number) => void): void {
    const place = new Place(index);
    this.#places.set(index, place);
    void this.#keep(place, onOwnEnd).then(() => {
      this.#places.delete(index);
      if (this.#places.size === 0) this.#onAllEnded();
    });
  }

  async #keep(place: Place, onOwnEnd: (code: number) => void): Promise<void> {
    const { say, wait, rng, nowMs } = this.#options;
    for (let isFirst = true; place.isKept && !this.#isStopping; isFirst = false) {
      const { exitCode, readyMs, cause, remedy } = await this.#attempt(place);
      const why = remedy === undefined ? cause : `${cause}: ${remedy}`;
      onOwnEnd(exitCode);
      if (readyMs > 0) this.#readyEver += 1;
      else if (isFirst) this.#failedFirst.push(exitCode);
      if (!place.isKept || this.#isStopping) break;
      if (this.#isAlone() || this.#haveAllFailed()) {
        if (readyMs === 0) say(this.#isAlone() ? why : `copy ${place.number}: ${why}`);
        break;
      }
      place.attempts = (readyMs >= HEALTHY_MS ? 0 : place.attempts) + 1;
      place.cause = cause;
      const pauseMs = jitteredBackoffMs(place.attempts - 1, PAUSES, () => (1 + rng()) / 2);
      say(`copy ${place.number}: ${why}; trying again in ${inSeconds(pauseMs)}`);
      place.retryAtMs = nowMs() + pauseMs;
      await wait(pauseMs, new Promise((resolve) => (place.wake = resolve)));
      place.retryAtMs = undefined;
    }
    if (this.#haveAllFailed()) for (const other of this.#places.values()) other.release();
  }

  async #attempt(place: Place): Promise<WrappedEnd> {
    try {
      place.copy = this.#options.newCopy(place.index);
    } catch (error) {
      return { exitCode: 1, readyMs: 0, cause: (error as Error).message };
    }
    const end = await place.copy.run();
    place.copy = undefined;
    return end;
  }

  #isAlone(): boolean {
    return this.#options.count === 1 && !this.#hasScaled;
  }

  #haveAllFailed(): boolean {
    return !this.#hasScaled && this.#readyEver === 0 && this.#failedFirst.length === this.#options.count;
  }
}
