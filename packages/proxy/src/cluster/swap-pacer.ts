import type { ClusterView } from './cluster-view.ts';
import type { Delay } from './node-probes.ts';

/** Minimum time between two tables, milliseconds: a burst of changes is built once. */
const SWAP_MS = 50;

/** Swaps the context table soon after a change: at once when the last swap is long ago, otherwise after the minimum time. */
export class SwapPacer {
  readonly #view: ClusterView;
  readonly #now: () => number;
  readonly #delay: Delay;
  readonly #onSwapped: () => void;
  #swappedAtMs = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | undefined;

  /** `onSwapped`: all applied changes are in effect now. Called after each request for a swap, sooner or later. */
  constructor(view: ClusterView, now: () => number, delay: Delay, onSwapped: () => void) {
    this.#view = view;
    this.#now = now;
    this.#delay = delay;
    this.#onSwapped = onSwapped;
  }

  /** A change was applied to the view. */
  swapSoon(): void {
    if (this.#cancel) return;
    const leftMs = this.#view.isDirty ? this.#swappedAtMs + SWAP_MS - this.#now() : 0;
    if (leftMs <= 0) this.#swap();
    else this.#cancel = this.#delay(() => this.#swap(), leftMs);
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #swap(): void {
    this.#cancel = undefined;
    if (this.#view.isDirty) {
      this.#swappedAtMs = this.#now();
      this.#view.swap(this.#swappedAtMs);
    }
    this.#onSwapped();
  }
}
