/** Sessions that are in use without requests: hashes of their ids, each with the number of its open connections. */

/** A session in use until `release`, which is called once. */
export interface HeldSession {
  release(nowMs: number): void;
}

const HALF = 0x100_0000;

/** One entry per session: bounded by the number of open connections. */
export class HeldSessions {
  /** Number of holds by hash, both halves in one number. */
  readonly #holds = new Map<number, number>();

  add(low: number, high: number): void {
    const hash = high * HALF + low;
    this.#holds.set(hash, (this.#holds.get(hash) ?? 0) + 1);
  }

  remove(low: number, high: number): void {
    const hash = high * HALF + low;
    const left = (this.#holds.get(hash) ?? 0) - 1;
    if (left > 0) this.#holds.set(hash, left);
    else this.#holds.delete(hash);
  }

  forEach(visit: (low: number, high: number) => void): void {
    for (const hash of this.#holds.keys()) visit(hash % HALF, Math.floor(hash / HALF));
  }
}
