/** Keeps a number of copies of a program running. A single copy that was never scaled is not restarted: the wrapper ends with it. */
import { backoffMs } from '@rollcall/agent';
import type { WrappedEnd } from './wrapped-node.ts';

/** One run of one copy. */
export interface Copy {
  run(): Promise<WrappedEnd>;
  /** `drainSessionsMs`: time for its sessions to end first; default `--drain-sessions` of the wrapper. */
  stop(reason: string, drainSessionsMs?: number): Promise<void>;
  /** Withdraws a stop. Returns false if it is too late. */
  withdrawStop(): boolean;
  kill(): void;
}

export interface CopiesOptions {
  /** 1 or more. */
  readonly count: number;
  /** Creates the next run of copy `index`, 0 and up. May throw if there is no room for another copy. */
  readonly newCopy: (index: number) => Copy;
  readonly say: (line: string) => void;
  readonly rng: () => number;
  /** Resolves after `delayMs`, or as soon as `cancelled` resolves. */
  readonly wait: (delayMs: number, cancelled: Promise<void>) => Promise<void>;
}

/** A copy that was ready for this long is healthy, which resets its restart delay; milliseconds. */
const HEALTHY_MS = 10_000;
/** Time for the sessions of a surplus copy to end, milliseconds. */
export const SCALE_DOWN_MS = 300_000;

/** One copy number, from its first start until it is no longer needed. */
class Place {
  readonly index: number;
  /** Resolves when the copy has ended. */
  ended: Promise<void> = Promise.resolve();
  copy: Copy | undefined;
  isKept = true;
  /** Resolves when the copy is no longer needed. */
  released: Promise<void> = Promise.resolve();
  #release: () => void = () => {};

  constructor(index: number) {
    this.index = index;
    this.keep();
  }

  /** Keeps the copy from now on. */
  keep(): void {
    this.isKept = true;
    this.released = new Promise((resolve) => (this.#release = resolve));
  }

  /** The copy is not restarted. */
  release(): void {
    this.isKept = false;
    this.#release();
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
   * Keeps `count` copies from now on, 1 or more. Scaling down drains the newest copies, their sessions for up to five minutes, and
   * ends them. Scaling up first re-enables copies that still drain, then starts new copies at once.
   */
  scale(count: number): void {
    if (this.#isStopping || count === this.kept) return;
    this.#options.say(`keeping ${count} ${count === 1 ? 'copy' : 'copies'} from now on`);
    this.#hasScaled = true;
    this.#withdrawStop(count);
    for (let index = 0; this.kept < count; index++) {
      if (this.#places.has(index)) continue;
      try {
        this.#open(index, () => {});
      } catch (error) {
        this.#options.say(`cannot start another copy: ${(error as Error).message}`);
        return;
      }
    }
    const kept = [...this.#places.values()].filter(({ isKept }) => isKept).sort((a, b) => b.index - a.index);
    for (const place of kept.slice(0, Math.max(0, kept.length - count))) {
      place.release();
      void place.copy?.stop('scaled down', SCALE_DOWN_MS);
    }
  }

  /** Re-enables copies that are leaving, the lowest numbers first, while fewer than `count` are kept. */
  #withdrawStop(count: number): void {
    const leaving = [...this.#places.values()].filter(({ isKept }) => !isKept).sort((a, b) => a.index - b.index);
    for (const place of leaving) {
      if (this.kept >= count) return;
      if (place.copy?.withdrawStop() !== true) continue;
      place.keep();
      this.#options.say(`copy ${place.index + 1} was leaving and serves again`);
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
    place.copy = this.#options.newCopy(index);
    this.#places.set(index, place);
    place.ended = this.#keep(place, onOwnEnd).then(() => {
      this.#places.delete(index);
      if (this.#places.size === 0) this.#onAllEnded();
    });
  }

  async #keep(place: Place, onOwnEnd: (code: number) => void): Promise<void> {
    const { say, wait, rng, newCopy } = this.#options;
    const number = place.index + 1;
    let attempts = 0;
    for (let isFirst = true; place.copy !== undefined; isFirst = false) {
      const { exitCode, readyMs } = await place.copy.run();
      place.copy = undefined;
      onOwnEnd(exitCode);
      if (readyMs > 0) this.#readyEver += 1;
      else if (isFirst) this.#failedFirst.push(exitCode);
      if (!place.isKept || this.#isStopping || this.#isAlone() || this.#haveAllFailed()) break;
      attempts = readyMs >= HEALTHY_MS ? 0 : attempts + 1;
      say(`copy ${number} has ended with ${exitCode}; restarting it`);
      await wait(backoffMs(attempts, rng), place.released);
      if (place.isKept && !this.#isStopping) place.copy = newCopy(place.index);
    }
    if (this.#haveAllFailed()) for (const other of this.#places.values()) other.release();
  }

  #isAlone(): boolean {
    return this.#options.count === 1 && !this.#hasScaled;
  }

  #haveAllFailed(): boolean {
    return !this.#hasScaled && this.#readyEver === 0 && this.#failedFirst.length === this.#options.count;
  }
}
