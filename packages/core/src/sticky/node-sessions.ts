/**
 * Active sessions of one node in two tables: sessions that were seen again, and sessions that were seen once.
 *
 * A session is seen once when an answer opens it, and seen again when a request sends its id. Health checkers and crawlers that
 * keep no cookies open a session with each request and never send its id. Drains therefore wait only for sessions seen again.
 * Two tables rather than a flag per entry: any number of sessions seen once makes the count of the others no coarser.
 */
import { hashesIn, type SessionSample } from '@rollcall/feed';
import { ActiveSessions } from './active-sessions.ts';
import type { HeldSession } from './held-sessions.ts';

/** Highest levels of the samples that are merged. */
export interface SampleFloors {
  readonly again: number;
  readonly once: number;
}

const MINUTE_MS = 60_000;

export class NodeSessions {
  readonly #again: ActiveSessions;
  readonly #once: ActiveSessions;
  readonly #seed: number;
  /** Sessions seen again within the last minute; only while their use is counted. */
  #used: ActiveSessions | undefined;

  /** See `ActiveSessions`. */
  constructor(idleMs: number, seed: number) {
    this.#again = new ActiveSessions(idleMs, seed);
    this.#once = new ActiveSessions(idleMs, seed);
    this.#seed = seed;
  }

  /** Counts the use within the last minute from now on, or no longer. A repeat changes nothing. */
  countUse(isCounted: boolean): void {
    this.#used = isCounted ? (this.#used ?? new ActiveSessions(MINUTE_MS, this.#seed)) : undefined;
  }

  /** Number of sessions that requests have sent within the last minute; `undefined` unless they are counted. */
  usedInLastMinute(nowMs: number): number | undefined {
    return this.#used?.count(nowMs);
  }

  setIdleMs(idleMs: number, nowMs: number): void {
    this.#again.setIdleMs(idleMs, nowMs);
    this.#once.setIdleMs(idleMs, nowMs);
  }

  /** An answer has opened session `id`. */
  open(id: string, nowMs: number): void {
    this.#once.see(id, nowMs);
  }

  /** A request has sent session `id`. True when the session was not known before. */
  see(id: string, nowMs: number): boolean {
    this.#used?.see(id, nowMs);
    const isNew = this.#again.see(id, nowMs);
    // A session begins when it is opened.
    if (isNew) this.#again.beginAsIn(this.#once, id);
    // A sampled table does not show whether it has met the id before.
    if (!isNew && this.#again.level === 0) return false;
    return !this.#once.remove(id) && isNew;
  }

  /** Session `id` is in use until the release: it counts as seen again without requests. */
  hold(id: string, nowMs: number): HeldSession {
    const held = this.#again.hold(id, nowMs);
    this.#again.beginAsIn(this.#once, id);
    this.#once.remove(id);
    return held;
  }

  /** Number of sessions that were seen again. */
  again(nowMs: number): number {
    return this.#again.count(nowMs);
  }

  /** Number of sessions that were seen once. */
  once(nowMs: number): number {
    return this.#once.count(nowMs);
  }

  count(nowMs: number): number {
    return this.again(nowMs) + this.once(nowMs);
  }

  /** Least age of the oldest session that was seen again, from its beginning, milliseconds; `undefined` without such sessions. */
  oldestMs(nowMs: number): number | undefined {
    return this.#again.oldestMs(nowMs);
  }

  // ---- counting together

  /** Up to `max` sessions that `take` has not returned since they were seen; sessions seen again first. */
  take(max: number, nowMs: number): SessionSample | undefined {
    const again = this.#again.take(max, nowMs);
    const once = this.#once.take(max - (again === undefined ? 0 : hashesIn(again)), nowMs);
    if (once === undefined) return again;
    const { level, seen, ...part } = once;
    return { ...part, level: this.#again.level, seen: again?.seen ?? [], once: { level, seen } };
  }

  /** The receiver of the entries has lost them: `take` returns all again, also the merged ones. */
  tellAgain(): void {
    this.#again.tellAgain();
    this.#once.tellAgain();
  }

  /** Adds a sample that another instance took. A session that any instance has seen again counts as seen again. */
  merge(sample: SessionSample, floors: SampleFloors, nowMs: number): void {
    this.#again.merge(sample, floors.again, nowMs, { earlier: this.#once });
    this.#once.drop(sample);
    if (sample.once !== undefined)
      this.#once.merge({ ...sample, ...sample.once }, floors.once, nowMs, { except: this.#again });
  }

  /** The same for sessions of all instances, as one instance received them. */
  adopt(sample: SessionSample, nowMs: number): void {
    this.#again.adopt(sample, nowMs, { earlier: this.#once });
    this.#once.drop(sample);
    if (sample.once !== undefined) this.#once.adopt({ ...sample, ...sample.once }, nowMs, { except: this.#again });
  }
}
