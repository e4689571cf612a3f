/** Keeps so many copies of a program running. A single copy is not restarted: its end is ours. */
import { backoffMs } from '@rollcall/agent';
import type { WrappedEnd } from './wrapped-node.ts';

/** One life of one copy. */
export interface Copy {
  run(): Promise<WrappedEnd>;
  stop(reason: string): Promise<void>;
  kill(): void;
}

export interface CopiesOptions {
  /** 1 or more. */
  readonly count: number;
  /** Makes the next life of copy `index`, 0 to count − 1. */
  readonly newCopy: (index: number) => Copy;
  readonly say: (line: string) => void;
  readonly rng: () => number;
  /** Resolves after `delayMs`, or when `cancelled` resolves. */
  readonly wait: (delayMs: number, cancelled: Promise<void>) => Promise<void>;
}

/** A copy that was ready for so long is healthy: its next restart is quick again, in milliseconds. */
const HEALTHY_MS = 10_000;

export class Copies {
  readonly #options: CopiesOptions;
  readonly #running = new Set<Copy>();
  readonly #stopped: Promise<void>;
  #markStopped: () => void = () => {};
  #isStopping = false;
  #readyEver = 0;
  #failedFirst: number[] = [];

  constructor(options: CopiesOptions) {
    this.#options = options;
    this.#stopped = new Promise((resolve) => {
      this.#markStopped = resolve;
    });
  }

  /**
   * Runs all copies until they have ended; the exit code for the whole.
   *
   * One copy: its own. Several: a copy that ends is started again, with backoff; the code is 0 after `stop`, or that
   * of the first failure when not one copy became ready at its first start.
   */
  async run(): Promise<number> {
    const { count } = this.#options;
    if (count === 1) return (await this.#life(0)).exitCode;
    await Promise.all(Array.from({ length: count }, (_, index) => this.#keep(index)));
    return this.#haveAllFailed() ? this.#failedFirst[0]! : 0;
  }

  /** Drains and ends all copies, side by side. A repeat changes nothing. */
  async stop(reason: string): Promise<void> {
    this.#isStopping = true;
    this.#markStopped();
    await Promise.all([...this.#running].map((copy) => copy.stop(reason)));
  }

  /** Ends all copies at once. */
  kill(): void {
    this.#isStopping = true;
    this.#markStopped();
    for (const copy of this.#running) copy.kill();
  }

  async #life(index: number): Promise<WrappedEnd> {
    const copy = this.#options.newCopy(index);
    this.#running.add(copy);
    const end = await copy.run();
    this.#running.delete(copy);
    return end;
  }

  async #keep(index: number): Promise<void> {
    let attempts = 0;
    for (let isFirst = true; !this.#isStopping; isFirst = false) {
      const { exitCode, readyMs } = await this.#life(index);
      if (readyMs > 0) this.#readyEver += 1;
      else if (isFirst) this.#failedFirst.push(exitCode);
      if (this.#isStopping || this.#haveAllFailed()) break;
      attempts = readyMs >= HEALTHY_MS ? 0 : attempts + 1;
      this.#options.say(`copy ${index + 1} has ended with ${exitCode}; starting it again`);
      await this.#options.wait(backoffMs(attempts, this.#options.rng), this.#stopped);
    }
    if (this.#haveAllFailed()) this.#markStopped();
  }

  #haveAllFailed(): boolean {
    return this.#readyEver === 0 && this.#failedFirst.length === this.#options.count;
  }
}
