/**
 * The stream of one query: its latest snapshot, and the deltas after it. All viewers of the query share the texts. Pure apart from the
 * compression of frames.
 */
import { Frame } from './frame.ts';
import type { NodeChoice } from './watch-state.ts';

/** Upper bounds of the deltas that are kept, so that a viewer can resume. */
const MAX_DELTAS = 60;
const MAX_DELTA_BYTES = 2 * 1024 * 1024;
/** A new viewer gets the latest snapshot and the deltas since, while these are at most this part of it. */
const REUSED_PART = 0.25;

export class Channel {
  readonly choice: NodeChoice;
  readonly #prefix: string;
  readonly #deltas: Frame[] = [];
  #deltaBytes = 0;
  /** Number of the last delta. */
  #last = 0;
  #snapshot: { readonly body: Frame; readonly at: number } | undefined;

  /** `prefix`: begins the ids of the events; no other channel may have it. */
  constructor(choice: NodeChoice, prefix: string) {
    this.choice = choice;
    this.#prefix = prefix;
  }

  get last(): number {
    return this.#last;
  }

  /** Adds a delta, JSON. */
  add(delta: string): void {
    this.#last += 1;
    const frame = new Frame(`event: delta\nid: ${this.#prefix}.${this.#last}\ndata: ${delta}\n\n`);
    this.#deltas.push(frame);
    this.#deltaBytes += frame.bytes;
    while (this.#deltas.length > MAX_DELTAS || (this.#deltas.length > 1 && this.#deltaBytes > MAX_DELTA_BYTES))
      this.#deltaBytes -= this.#deltas.shift()!.bytes;
  }

  /** The deltas after number `after`; `undefined` if some of them are no longer kept, or if there is no such number. */
  since(after: number): readonly Frame[] | undefined {
    const missed = this.#last - after;
    if (missed < 0 || missed > this.#deltas.length) return undefined;
    return missed === 0 ? [] : this.#deltas.slice(-missed);
  }

  /**
   * The frames of a viewer that has nothing: a snapshot, and deltas since. `head`: the members of the snapshot for this viewer, JSON without
   * braces. `body`: makes the other members, JSON without braces, as of the last delta.
   */
  beginning(head: string, body: () => string): readonly Frame[] {
    const kept = this.#snapshot;
    const since = kept && this.since(kept.at);
    const bytes = since?.reduce((sum, frame) => sum + frame.bytes, 0) ?? 0;
    if (kept !== undefined && since !== undefined && bytes <= REUSED_PART * kept.body.bytes)
      return [this.#head(head, kept.at), kept.body, ...since];
    this.#snapshot = { body: new Frame(`${body()}}\n\n`), at: this.#last };
    return [this.#head(head, this.#last), this.#snapshot.body];
  }

  /** The number in a `Last-Event-ID` of this channel; `undefined` for other texts. */
  numberOf(eventId: string): number | undefined {
    const [prefix, number = '', ...rest] = eventId.split('.');
    return prefix === this.#prefix && rest.length === 0 && /^\d{1,15}$/.test(number) ? Number(number) : undefined;
  }

  #head(head: string, at: number): Frame {
    return new Frame(`event: snapshot\nid: ${this.#prefix}.${at}\ndata: {${head},`);
  }
}
