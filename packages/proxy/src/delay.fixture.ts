import { ManualClock } from '@rollcall/core/testing';
import type { Delay } from './node-probes.ts';

/** Delays that pass when a test says so. */
export class ManualDelays {
  readonly clock = new ManualClock();
  readonly #due: { readonly atMs: number; readonly run: () => void }[] = [];

  readonly delay: Delay = (run, delayMs) => {
    const entry = { atMs: this.clock.nowMs() + delayMs, run };
    this.#due.push(entry);
    return () => {
      const at = this.#due.indexOf(entry);
      if (at >= 0) this.#due.splice(at, 1);
    };
  };

  get size(): number {
    return this.#due.length;
  }

  /** Lets `ms` pass and runs what has become due, in order. */
  advance(ms: number): void {
    const endMs = this.clock.nowMs() + ms;
    for (;;) {
      this.#due.sort((one, other) => one.atMs - other.atMs);
      const next = this.#due[0];
      if (next === undefined || next.atMs > endMs) break;
      this.#due.shift();
      this.clock.advance(Math.max(0, next.atMs - this.clock.nowMs()));
      next.run();
    }
    this.clock.advance(endMs - this.clock.nowMs());
  }
}
