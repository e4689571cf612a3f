/**
 * Requests of the last seconds, by the worker that forwards them and by the node that gets them.
 *
 * Counts decay exponentially: after `FADE_MS` a request weighs 1/e. A count is therefore requests per second times
 * `FADE_MS`, and needs neither buckets nor a timer.
 */

import { MIN_SHARE } from '@rollcall/feed';
import type { BalancerName, NodeId } from '@rollcall/protocol';

/** Decay time, milliseconds. Larger is steadier, smaller follows faster. */
export const FADE_MS = 5_000;
/**
 * Virtual requests that are spread evenly over the workers. While there are not clearly more real ones, the counts are
 * chance, and all workers count about equally.
 */
const IMAGINED = 64;

interface Fading {
  count: number;
  atMs: number;
}

export class Traffic {
  readonly #byWorker = new Map<string, Map<BalancerName, Fading>>();
  readonly #byNode = new Map<NodeId, Fading>();

  /** Adds `requests` that a worker has forwarded to a node. */
  add(worker: string, balancer: BalancerName, id: NodeId, requests: number, nowMs: number): void {
    if (!(requests > 0)) return;
    const ofWorker = this.#byWorker.get(worker) ?? new Map<BalancerName, Fading>();
    this.#byWorker.set(worker, ofWorker);
    addTo(ofWorker, balancer, requests, nowMs);
    addTo(this.#byNode, id, requests, nowMs);
  }

  /** Removes a worker that has ended. */
  forgetWorker(worker: string): void {
    this.#byWorker.delete(worker);
  }

  forgetBalancer(name: BalancerName): void {
    for (const ofWorker of this.#byWorker.values()) ofWorker.delete(name);
  }

  forgetNode(id: NodeId): void {
    this.#byNode.delete(id);
  }

  /** Requests per second of a node, by all workers together. */
  perSecond(id: NodeId, nowMs: number): number {
    return countAt(this.#byNode.get(id), nowMs) / (FADE_MS / 1_000);
  }

  /**
   * The part of a balancer's requests that comes through each of `workers`, 1/64 … 1, in their order. A worker that is not
   * in `workers`, but has not ended, counts until its requests have decayed: it may still be serving.
   */
  sharesOf(workers: readonly string[], balancer: BalancerName, nowMs: number): number[] {
    let all = 0;
    for (const ofWorker of this.#byWorker.values()) all += countAt(ofWorker.get(balancer), nowMs);
    return workers.map((worker) => {
      const own = countAt(this.#byWorker.get(worker)?.get(balancer), nowMs);
      const share = (own + IMAGINED / workers.length) / (all + IMAGINED);
      return Math.min(1, Math.max(MIN_SHARE, share));
    });
  }
}

function addTo<Key>(counts: Map<Key, Fading>, key: Key, requests: number, nowMs: number): void {
  const known = counts.get(key);
  if (known === undefined) counts.set(key, { count: requests, atMs: nowMs });
  else {
    known.count = countAt(known, nowMs) + requests;
    known.atMs = nowMs;
  }
}

function countAt(fading: Fading | undefined, nowMs: number): number {
  return fading === undefined ? 0 : fading.count * Math.exp(-Math.max(0, nowMs - fading.atMs) / FADE_MS);
}
