/**
 * Requests that wait for a node, by the object that they wait for. Limited in count and octets. Parking has no timer: each waiting request
 * uses the deadline of its client connection.
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

  /** Takes a place for `request`, which waits for `key` and holds `bytes`; false if there is none. */
  enter(request: Request, key: object, bytes: number): boolean {
    if (!this.#bounds.enter(key, bytes)) return false;
    const waiting = this.#byKey.get(key) ?? new Set();
    waiting.add(request);
    this.#byKey.set(key, waiting);
    return true;
  }

  /** More of the request has arrived and is kept; false if it must not grow. */
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

  /** Requests that wait for `key`, the oldest first; without a key all. A copy, because requests may leave during the iteration. */
  waitingFor(key?: object): Request[] {
    if (key !== undefined) return [...(this.#byKey.get(key) ?? [])];
    const all: Request[] = [];
    for (const waiting of this.#byKey.values()) all.push(...waiting);
    return all;
  }

  /** How long the oldest request has waited, milliseconds; 0 without any. */
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
