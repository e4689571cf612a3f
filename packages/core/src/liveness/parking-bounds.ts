/**
 * How many requests may wait for nodes at once, in all and for one node. A node may use all places that no other node needs; above three
 * quarters full it may use at most half.
 */

/** Bounds of one worker. */
export interface ParkingLimits {
  /** Requests at once. */
  readonly maxRequests: number;
  /** Octets of heads and bodies that they hold, together. */
  readonly maxBytes: number;
}

/** Above this part of the bounds one key may use at most half of them. */
const NEARLY_FULL = 0.75;
const HALF = 0.5;

interface Use {
  requests: number;
  bytes: number;
}

/** `Key` is a node, or a context, that requests wait for. */
export class ParkingBounds<Key> {
  readonly #limits: ParkingLimits;
  readonly #byKey = new Map<Key, Use>();
  readonly #total: Use = { requests: 0, bytes: 0 };

  constructor(limits: ParkingLimits) {
    this.#limits = limits;
  }

  get requests(): number {
    return this.#total.requests;
  }

  /** Requests that wait for `key`. */
  of(key: Key): number {
    return this.#byKey.get(key)?.requests ?? 0;
  }

  /** Takes a place for a request that holds `bytes`; false when there is no place. The caller must call `leave` once after each true. */
  enter(key: Key, bytes: number): boolean {
    const own = this.#byKey.get(key) ?? { requests: 0, bytes: 0 };
    const { maxRequests, maxBytes } = this.#limits;
    if (this.#total.requests >= maxRequests || this.#total.bytes + bytes > maxBytes) return false;
    if (this.#isCrowded(bytes) && this.#total.requests > own.requests) {
      if (own.requests >= maxRequests * HALF || own.bytes + bytes > maxBytes * HALF) return false;
    }
    own.requests++;
    own.bytes += bytes;
    this.#byKey.set(key, own);
    this.#total.requests++;
    this.#total.bytes += bytes;
    return true;
  }

  /** Adds `bytes` to a request that has a place; false, and no change, when that exceeds the bound. */
  grow(key: Key, bytes: number): boolean {
    const own = this.#byKey.get(key);
    if (own === undefined || this.#total.bytes + bytes > this.#limits.maxBytes) return false;
    own.bytes += bytes;
    this.#total.bytes += bytes;
    return true;
  }

  leave(key: Key, bytes: number): void {
    const own = this.#byKey.get(key);
    if (own === undefined) return;
    own.requests--;
    own.bytes -= bytes;
    this.#total.requests--;
    this.#total.bytes -= bytes;
    if (own.requests === 0) this.#byKey.delete(key);
  }

  #isCrowded(bytes: number): boolean {
    const { maxRequests, maxBytes } = this.#limits;
    return this.#total.requests >= maxRequests * NEARLY_FULL || this.#total.bytes + bytes > maxBytes * NEARLY_FULL;
  }
}
