/**
 * Answers that many readers ask for, made and serialised once for all who ask shortly after each other, so that the cost of
 * reading does not grow with the number of readers.
 *
 * An answer that took T to make is used for 50 T, at most 1 s: making it takes at most 2 % of the event loop. A write by an
 * operator ends it at once, so that a reader sees what it has just changed. Below 200 nodes an answer is cheap, and each reader
 * gets a new one.
 */
import type { Cluster } from '../cluster.ts';

/** Answers are shared from this number of nodes on, those that are gone but remembered included. */
const SHARED_FROM_NODES = 200;
const USE_PER_COST = 50;
const MAX_USE_MS = 1_000;
/** Different answers that are kept; beyond it all are dropped. */
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

  /** What `make` returns, as JSON. `key` names the answer: equal keys must ask for the same. */
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
