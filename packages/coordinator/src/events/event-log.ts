/** The cluster's recent history, numbered, for pages, SSE and the log. */
import type { EventResource } from '@rollcall/protocol';
import type { Clocks } from '../clocks.ts';
import type { EventLine } from './event-sentence.ts';

/** Events kept for those who come later. */
export const EVENT_LOG_SIZE = 1_000;

export class EventLog {
  readonly #clocks: Clocks;
  readonly #listeners = new Set<(event: EventResource) => void>();
  #events: EventResource[] = [];
  #nextId: number;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
    // Numbers start at the wall clock, so that those of the next life of the coordinator are larger than these and a
    // viewer that resumes after a restart misses nothing.
    this.#nextId = Math.floor(clocks.nowUnixMs());
  }

  add(line: EventLine): EventResource {
    const event: EventResource = { id: this.#nextId++, atUnixMs: Math.floor(this.#clocks.nowUnixMs()), ...line };
    this.#events.push(event);
    // Trimmed in lumps, so that a full log does not move a thousand entries for each new one.
    if (this.#events.length >= 2 * EVENT_LOG_SIZE) this.#events = this.#events.slice(-EVENT_LOG_SIZE);
    for (const listener of this.#listeners) listener(event);
    return event;
  }

  /** Events after number `afterId`, oldest first, at most `EVENT_LOG_SIZE`. */
  since(afterId: number): readonly EventResource[] {
    return this.#events.slice(-EVENT_LOG_SIZE).filter((event) => event.id > afterId);
  }

  /** Hears every event from now on. Returns the way to stop. */
  listen(listener: (event: EventResource) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
