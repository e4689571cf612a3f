/**
 * The time for which leases may be paused because agents wait to be admitted. The allowance is used up while they wait, and grows back
 * afterwards. Agents that keep coming therefore cannot keep a lost node in the cluster.
 */

/** Largest allowance, milliseconds: more than it takes to admit 10,000 agents at the lowest rate. */
const MAX_MS = 180_000;
/** Part of the time without waiting agents by which it grows. */
const GROWTH = 0.1;

export class HeldTime {
  #leftMs = MAX_MS;
  #untilMs: number | undefined;

  /** Uses up to `heldMs` of the allowance, for a pause that ends at `nowMs`. Returns the part that was available, at most `heldMs`. */
  take(heldMs: number, nowMs: number): number {
    const restMs = this.#untilMs === undefined ? 0 : Math.max(0, nowMs - heldMs - this.#untilMs);
    this.#leftMs = Math.min(MAX_MS, this.#leftMs + restMs * GROWTH);
    const takenMs = Math.min(heldMs, this.#leftMs);
    this.#leftMs -= takenMs;
    this.#untilMs = nowMs;
    return takenMs;
  }
}
