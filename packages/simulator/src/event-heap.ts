/** What happens next: events in the order of their time, those of one time in the order they were planned. */
import { Heap } from '@rollcall/core';

/** One event; what it means is the model's. */
export interface PlannedEvent {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export class EventHeap {
  readonly #heap = new Heap<PlannedEvent>(isBefore);
  #order = 0;

  plan(atMs: number, run: () => void): void {
    this.#heap.put({ atMs, order: this.#order++, run });
  }

  /** The next event, taken out; `undefined` when there is none. */
  take(): PlannedEvent | undefined {
    return this.#heap.take();
  }
}

function isBefore(one: PlannedEvent, other: PlannedEvent): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
