import { hashText } from './text-hash.ts';

/** Up to this many sessions are counted exactly; beyond it a sample of the ids stands for all. */
const MAX_SAMPLE = 10_000;
/** Parts of the idle time: a session counts for up to one part longer than it was active. */
const PARTS = 8;
/** Hashes keep 30 bits, so that they are small integers to the engine. */
const HASH_BITS = 30;

/**
 * Distinct sessions of one node seen within the idle time.
 *
 * Exact up to 10,000 but for hash collisions (about 1 in 200,000 ids); above, every id whose hash ends in so many zero
 * bits is kept and counted for all of them, which is right to about ± 2 %. Memory and time per session are bounded.
 *
 * @see Flajolet, "On adaptive sampling", Computing 43 (1990).
 */
export class ActiveSessions {
  readonly #seed: number;
  /** Hash of the session id → part of time it was last seen in. */
  readonly #lastSeen = new Map<number, number>();
  #partMs: number;
  /** Ids whose hash has a one among its lowest so many bits are left out. */
  #skippedBits = 0;
  #countedPart = Number.NEGATIVE_INFINITY;

  /** `seed` keeps clients from choosing ids whose hashes collide. */
  constructor(idleMs: number, seed: number) {
    this.#seed = seed;
    this.#partMs = partMs(idleMs);
  }

  /** Another idle time; sessions already seen are judged by it from now on, as if seen at the end of their part. */
  setIdleMs(idleMs: number): void {
    const newPartMs = partMs(idleMs);
    if (newPartMs === this.#partMs) return;
    const factor = this.#partMs / newPartMs;
    for (const [hash, part] of this.#lastSeen) this.#lastSeen.set(hash, Math.floor((part + 1) * factor) - 1);
    this.#partMs = newPartMs;
    this.#countedPart = Number.NEGATIVE_INFINITY;
  }

  /** A request of session `id`. */
  see(id: string, nowMs: number): void {
    const hash = hashText(id, this.#seed) >>> (32 - HASH_BITS);
    if ((hash & ((1 << this.#skippedBits) - 1)) !== 0) return;
    const part = Math.floor(nowMs / this.#partMs);
    const before = this.#lastSeen.get(hash);
    if (before === part) return;
    this.#lastSeen.set(hash, part);
    if (before === undefined && this.#lastSeen.size > MAX_SAMPLE) this.#shrink(part);
  }

  /** Sessions seen within the idle time. */
  count(nowMs: number): number {
    this.#expire(Math.floor(nowMs / this.#partMs));
    return this.#lastSeen.size * 2 ** this.#skippedBits;
  }

  #expire(part: number): void {
    if (part === this.#countedPart) return;
    this.#countedPart = part;
    for (const [hash, seen] of this.#lastSeen) if (seen < part - PARTS) this.#lastSeen.delete(hash);
    if (this.#lastSeen.size === 0) this.#skippedBits = 0;
  }

  /** Makes room: first the expired go, then half of the ids at a time. */
  #shrink(part: number): void {
    this.#expire(part);
    while (this.#lastSeen.size > MAX_SAMPLE && this.#skippedBits < HASH_BITS) {
      this.#skippedBits++;
      const mask = (1 << this.#skippedBits) - 1;
      for (const hash of this.#lastSeen.keys()) if ((hash & mask) !== 0) this.#lastSeen.delete(hash);
    }
  }
}

function partMs(idleMs: number): number {
  return Math.max(1, idleMs / PARTS);
}
