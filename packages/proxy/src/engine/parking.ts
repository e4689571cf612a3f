/**
 * Requests that wait for a node, by what they wait for. Bounded in count and octets; nothing in here has a timer: each waiting request has
 * the deadline of its client connection.
 */
import { ParkingBounds, type ParkingLimits } from '@rollcall/core';

/** A request as parking sees it. */
export interface Parked {
  readonly parkedFor: object | undefined;
  readonly parkedBytes: number;
  readonly parkedAtMs: number;
}

export class Parking<Request extends Parked> {
  readonly #bounds: ParkingBounds<object>;
  /** In the order of arrival. */
  readonly #byKey = new Map<object, Set<Request>>();

  constructor(limits: ParkingLimits) {
    this.#bounds = new ParkingBounds(limits);
  }

  get size(): number {
    return this.#bounds.requests;
  }

  /** Takes a place for `request`, which waits for `key` and holds `bytes`; false when there is none. */
  enter(request: Request, key: object, bytes: number): boolean {
    if (!this.#bounds.enter(key, bytes)) return false;
    const waiting = this.#byKey.get(key) ?? new Set();
    waiting.add(request);
    this.#byKey.set(key, waiting);
    return true;
  }

  /** More of the request has come and is kept; false when it must not grow. */
  grow({ parkedFor }: Request, bytes: number): boolean {
    return parkedFor !== undefined && this.#bounds.grow(parkedFor, bytes);
  }

  leave(request: Request): void {
    const { parkedFor, parkedBytes } = request;
    if (parkedFor === undefined) return;
    const waiting = this.#byKey.get(parkedFor);
    if (waiting?.delete(request) !== true) return;
    if (waiting.size === 0) this.#byKey.delete(parkedFor);
    this.#bounds.leave(parkedFor, parkedBytes);
  }

  /** Those that wait for `key`, oldest first; all without a key. A copy: they may leave while it is gone through. */
  waitingFor(key?: object): Request[] {
    if (key !== undefined) return [...(this.#byKey.get(key) ?? [])];
    const all: Request[] = [];
    for (const waiting of this.#byKey.values()) all.push(...waiting);
    return all;
  }

  /** How long the oldest has waited, milliseconds; 0 when none waits. */
  oldestMs(nowMs: number): number {
    let oldestAtMs = nowMs;
    for (const waiting of this.#byKey.values())
      for (const { parkedAtMs } of waiting) {
        oldestAtMs = Math.min(oldestAtMs, parkedAtMs);
        break;
      }
    return nowMs - oldestAtMs;
  }
}
