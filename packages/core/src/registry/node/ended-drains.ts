/** Drains that have ended, the last one of each node. */
import type { BalancerName, DrainOutcome, NodeId } from '@rollcall/protocol';
import type { Usage } from './drain.ts';

export interface EndedDrain {
  readonly id: NodeId;
  readonly balancer: BalancerName;
  /** `undefined`: the node itself has requested it. */
  readonly by: string | undefined;
  readonly reason: string | undefined;
  readonly sinceMs: number;
  readonly deadlineAtMs: number | undefined;
  readonly outcome: DrainOutcome;
  readonly endedAtMs: number;
  /** As of the end. */
  readonly usage: Usage;
}

const KEEP_MS = 3_600_000;
/** Most drains that are kept; beyond it the oldest are dropped. */
const MAX_KEPT = 100;

export class EndedDrains {
  /** In order of their ends. */
  readonly #byNode = new Map<NodeId, EndedDrain>();

  add(drain: EndedDrain): void {
    this.#byNode.delete(drain.id);
    this.#byNode.set(drain.id, drain);
    const [oldest] = this.#byNode.keys();
    if (this.#byNode.size > MAX_KEPT) this.#byNode.delete(oldest!);
  }

  /** The node drains again, or its drain continues. */
  delete(id: NodeId): void {
    this.#byNode.delete(id);
  }

  get(id: NodeId): EndedDrain | undefined {
    return this.#byNode.get(id);
  }

  all(): IterableIterator<EndedDrain> {
    return this.#byNode.values();
  }

  /** Drops drains that ended an hour ago. */
  expire(nowMs: number): void {
    for (const { id, endedAtMs } of this.#byNode.values()) {
      if (nowMs - endedAtMs < KEEP_MS) return;
      this.#byNode.delete(id);
    }
  }
}
