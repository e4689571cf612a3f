/** The cluster's recent history, numbered, for pages, SSE and the log. */
import type { EventResource } from '@rollcall/protocol';
import type { Clocks } from '../clocks.ts';
import type { EventLine } from './event-sentence.ts';

/** Number of events that are kept. */
export const EVENT_LOG_SIZE = 1_000;
/** Number of earlier events with `by` that are kept besides: an event of many nodes must not replace what operators did. */
export const KEPT_ACTS = 200;

export class EventLog {
  readonly #clocks: Clocks;
  readonly #listeners = new Set<(event: EventResource) => void>();
  #events: EventResource[] = [];
  /** Earlier than all of `#events`. */
  #acts: EventResource[] = [];
  #nextId: number;

  /** `earlier`: events of the previous coordinator process, oldest first. */
  constructor(clocks: Clocks, earlier: readonly EventResource[] = []) {
    this.#clocks = clocks;
    // Numbers start at the wall clock, so that numbers after a restart of the coordinator are larger. A viewer that
    // resumes after a restart then misses nothing.
    this.#nextId = Math.max(Math.floor(clocks.nowUnixMs()), (earlier.at(-1)?.id ?? 0) + 1);
    this.#events = [...earlier];
    this.#trim();
  }

  /** A number for an entry of the audit that is no event. Entries and events have one order. */
  takeId(): number {
    return this.#nextId++;
  }

  add(line: EventLine): EventResource {
    const event: EventResource = { id: this.takeId(), atUnixMs: Math.floor(this.#clocks.nowUnixMs()), ...line };
    this.#events.push(event);
    // Trimmed in batches, so that a full log does not move a thousand entries for each new event.
    if (this.#events.length >= 2 * EVENT_LOG_SIZE) this.#trim();
    for (const listener of this.#listeners) listener(event);
    return event;
  }

  /** Events after number `afterId`, oldest first: the last `EVENT_LOG_SIZE`, and at most `KEPT_ACTS` earlier ones with `by`. */
  since(afterId: number): readonly EventResource[] {
    return [...this.#earlierActs(), ...this.#events.slice(-EVENT_LOG_SIZE)].filter((event) => event.id > afterId);
  }

  #trim(): void {
    this.#acts = this.#earlierActs();
    this.#events = this.#events.slice(-EVENT_LOG_SIZE);
  }

  #earlierActs(): EventResource[] {
    const acts = this.#events.slice(0, -EVENT_LOG_SIZE).filter(({ by }) => by !== undefined);
    return [...this.#acts, ...acts].slice(-KEPT_ACTS);
  }

  /** Calls the listener for every event from now on. Returns a function that ends this. */
  listen(listener: (event: EventResource) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
