/** A queue of events in order of time. Events of equal time keep the order in which they were planned. */
import { Heap } from '@rollcall/core';

/** An event of the model. */
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

  /** Removes and returns the next event; `undefined` if the queue is empty. */
  take(): PlannedEvent | undefined {
    return this.#heap.take();
  }
}

function isBefore(one: PlannedEvent, other: PlannedEvent): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
