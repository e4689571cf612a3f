/**
 * Answers that are made and serialised once for all clients that request them shortly after each other. The cost of reads then does
 * not grow with the number of readers.
 *
 * An answer that took T to make is used for 50 T, at most 1 s. So making it takes at most 2 % of the event loop. A write by an
 * operator invalidates it at once, so that readers see the change. Below 200 nodes each request gets a new answer, which is cheap.
 */
import type { Cluster } from '../cluster.ts';

/** Answers are shared from this number of nodes on. Gone nodes that are still remembered count. */
const SHARED_FROM_NODES = 200;
const USE_PER_COST = 50;
const MAX_USE_MS = 1_000;
/** Upper bound of cached answers; beyond it all are dropped. */
const MAX_KEPT = 16;

interface Kept {
  readonly body: Buffer;
  readonly untilMs: number;
  readonly writes: number;
}

export class SharedAnswers {
  readonly #cluster: Cluster;
  readonly #kept = new Map<string, Kept>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** What `make` returns, as JSON. `key` identifies the answer: equal keys must stand for equal answers. */
  json(key: string, make: () => object): Buffer {
    const { registry, clocks, writes } = this.#cluster;
    const startedAtMs = clocks.nowMs();
    const kept = this.#kept.get(key);
    if (kept && kept.writes === writes && startedAtMs < kept.untilMs) return kept.body;
    const body = Buffer.from(JSON.stringify(make()));
    if (registry.size < SHARED_FROM_NODES) {
      this.#kept.clear();
      return body;
    }
    const madeAtMs = clocks.nowMs();
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    const useMs = Math.min(MAX_USE_MS, USE_PER_COST * (madeAtMs - startedAtMs));
    this.#kept.set(key, { body, untilMs: madeAtMs + useMs, writes });
    return body;
  }
}
