/** Keeps so many copies of a program running. A single copy that nobody has scaled is not restarted: its end is ours. */
import { backoffMs } from '@rollcall/agent';
import type { WrappedEnd } from './wrapped-node.ts';

/** One life of one copy. */
export interface Copy {
  run(): Promise<WrappedEnd>;
  /** `drainSessionsMs`: how long its sessions may end first; default what the wrapper was told at its start. */
  stop(reason: string, drainSessionsMs?: number): Promise<void>;
  /** Takes a stop back. False when it is too late for that. */
  takeBack(): boolean;
  kill(): void;
}

export interface CopiesOptions {
  /** 1 or more. */
  readonly count: number;
  /** Makes the next life of copy `index`, 0 and up. May throw when there is no room for another. */
  readonly newCopy: (index: number) => Copy;
  readonly say: (line: string) => void;
  readonly rng: () => number;
  /** Resolves after `delayMs`, or when `cancelled` resolves. */
  readonly wait: (delayMs: number, cancelled: Promise<void>) => Promise<void>;
}

/** A copy that was ready for so long is healthy: its next restart is quick again, in milliseconds. */
const HEALTHY_MS = 10_000;
/** How long the sessions of a copy that is one too many may end, milliseconds. */
export const SCALE_DOWN_MS = 300_000;

/** One number that a copy runs under, from its first start until it is not wanted any more. */
class Place {
  readonly index: number;
  /** Resolves when nothing of it runs. */
  ended: Promise<void> = Promise.resolve();
  copy: Copy | undefined;
  isWanted = true;
  /** Resolves when it is not wanted any more. */
  unwanted: Promise<void> = Promise.resolve();
  #markUnwanted: () => void = () => {};

  constructor(index: number) {
    this.index = index;
    this.want();
  }

  /** Kept from now on. */
  want(): void {
    this.isWanted = true;
    this.unwanted = new Promise((resolve) => (this.#markUnwanted = resolve));
  }

  /** Not started again. */
  giveUp(): void {
    this.isWanted = false;
    this.#markUnwanted();
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

  /** How many are kept. */
  get kept(): number {
    let kept = 0;
    for (const { isWanted } of this.#places.values()) if (isWanted) kept++;
    return kept;
  }

  /**
   * Runs all copies until they have ended; the exit code for the whole.
   *
   * One copy: its own, unless it was scaled. Several: a copy that ends is started again, with backoff; the code is 0
   * after `stop`, or that of the first failure when not one copy became ready at its first start.
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
   * Keeps `count` copies from now on, 1 or more. Of those that are too many the newest drain, their sessions for up to
   * five minutes, and end. When there are to be more, copies that still drain serve again, and others start at once.
   */
  scale(count: number): void {
    if (this.#isStopping || count === this.kept) return;
    this.#options.say(`keeping ${count} ${count === 1 ? 'copy' : 'copies'} from now on`);
    this.#hasScaled = true;
    this.#takeBack(count);
    for (let index = 0; this.kept < count; index++) {
      if (this.#places.has(index)) continue;
      try {
        this.#open(index, () => {});
      } catch (error) {
        this.#options.say(`cannot start another copy: ${(error as Error).message}`);
        return;
      }
    }
    const wanted = [...this.#places.values()].filter(({ isWanted }) => isWanted).sort((a, b) => b.index - a.index);
    for (const place of wanted.slice(0, Math.max(0, wanted.length - count))) {
      place.giveUp();
      void place.copy?.stop('scaled down', SCALE_DOWN_MS);
    }
  }

  /** Has copies that leave serve again, the lowest numbers first, while fewer than `count` are kept. */
  #takeBack(count: number): void {
    const leaving = [...this.#places.values()].filter(({ isWanted }) => !isWanted).sort((a, b) => a.index - b.index);
    for (const place of leaving) {
      if (this.kept >= count) return;
      if (place.copy?.takeBack() !== true) continue;
      place.want();
      this.#options.say(`copy ${place.index + 1} was leaving and serves again`);
    }
  }

  /** Drains and ends all copies, side by side. A repeat changes nothing. */
  async stop(reason: string): Promise<void> {
    this.#isStopping = true;
    await Promise.all(
      [...this.#places.values()].map((place) => {
        place.giveUp();
        return place.copy?.stop(reason);
      }),
    );
  }

  /** Ends all copies at once. */
  kill(): void {
    this.#isStopping = true;
    for (const place of this.#places.values()) {
      place.giveUp();
      place.copy?.kill();
    }
  }

  /** Starts copies under a number until it is not wanted any more. */
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
      if (!place.isWanted || this.#isStopping || this.#isAlone() || this.#haveAllFailed()) break;
      attempts = readyMs >= HEALTHY_MS ? 0 : attempts + 1;
      say(`copy ${number} has ended with ${exitCode}; starting it again`);
      await wait(backoffMs(attempts, rng), place.unwanted);
      if (place.isWanted && !this.#isStopping) place.copy = newCopy(place.index);
    }
    if (this.#haveAllFailed()) for (const other of this.#places.values()) other.giveUp();
  }

  #isAlone(): boolean {
    return this.#options.count === 1 && !this.#hasScaled;
  }

  #haveAllFailed(): boolean {
    return !this.#hasScaled && this.#readyEver === 0 && this.#failedFirst.length === this.#options.count;
  }
}
