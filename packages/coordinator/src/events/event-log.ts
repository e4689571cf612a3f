/** The cluster's recent history, numbered, for pages, SSE and the log. */
import type { EventResource } from '@rollcall/protocol';
import type { Clocks } from '../clocks.ts';
import type { EventLine } from './event-sentence.ts';

/** Number of events that are kept. */
export const EVENT_LOG_SIZE = 1_000;

export class EventLog {
  readonly #clocks: Clocks;
  readonly #listeners = new Set<(event: EventResource) => void>();
  #events: EventResource[] = [];
  #nextId: number;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
    // Numbers start at the wall clock, so that numbers after a restart of the coordinator are larger. A viewer that
    // resumes after a restart then misses nothing.
    this.#nextId = Math.floor(clocks.nowUnixMs());
  }

  add(line: EventLine): EventResource {
    const event: EventResource = { id: this.#nextId++, atUnixMs: Math.floor(this.#clocks.nowUnixMs()), ...line };
    this.#events.push(event);
    // Trimmed in batches, so that a full log does not move a thousand entries for each new event.
    if (this.#events.length >= 2 * EVENT_LOG_SIZE) this.#events = this.#events.slice(-EVENT_LOG_SIZE);
    for (const listener of this.#listeners) listener(event);
    return event;
  }

  /** Events after number `afterId`, oldest first, at most `EVENT_LOG_SIZE`. */
  since(afterId: number): readonly EventResource[] {
    return this.#events.slice(-EVENT_LOG_SIZE).filter((event) => event.id > afterId);
  }

  /** Calls the listener for every event from now on. Returns a function that ends this. */
  listen(listener: (event: EventResource) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
