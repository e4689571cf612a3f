/**
 * The time after a start in which sessions wait for nodes that are remembered but not back yet. It is over when the
 * last of them is back, or after its full length. Before the store has answered the missing nodes are unknown, and the
 * window stays open at full length.
 */
import type { NodeId } from '@rollcall/protocol';

export class LearningWindow {
  readonly #missing = new Set<NodeId>();
  #endsAtMs: number;
  #isOpen = true;

  constructor(startedAtMs: number, lengthMs: number) {
    this.#endsAtMs = startedAtMs + lengthMs;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** True while the window is open and this node is waited for. */
  isMissing(id: NodeId): boolean {
    return this.#isOpen && this.#missing.has(id);
  }

  /** Longest remaining time, milliseconds; 0 when the window is over. */
  remainingMs(nowMs: number): number {
    return this.#isOpen ? Math.max(0, this.#endsAtMs - nowMs) : 0;
  }

  /** Sets the missing nodes after the store has answered. Returns whether that ends the window. */
  expect(missing: Iterable<NodeId>): boolean {
    for (const id of missing) this.#missing.add(id);
    return this.#closeIf(this.#missing.size === 0);
  }

  /** Removes a node that is back, or will not come. Returns whether that ends the window. */
  noLongerMissing(id: NodeId): boolean {
    return this.#missing.delete(id) && this.#closeIf(this.#missing.size === 0);
  }

  /** Returns whether time has ended the window just now. */
  pass(nowMs: number): boolean {
    return this.#closeIf(nowMs >= this.#endsAtMs);
  }

  /** Extends the window by a stall of the coordinator: no node could come back in that time. */
  shift(stalledMs: number): void {
    this.#endsAtMs += stalledMs;
  }

  #closeIf(condition: boolean): boolean {
    if (!condition || !this.#isOpen) return false;
    this.#isOpen = false;
    return true;
  }
}
