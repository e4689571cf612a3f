import type { FailoverCount } from '@rollcall/feed';
import type { BalancerName, FailoverCause, NodeId } from '@rollcall/protocol';

/** Maximum number of rows; the oldest are dropped first. */
const MAX_ROWS = 10_000;

/** Counts the sessions that were moved away from nodes, by balancer, node and cause. */
export class FailoverCounters {
  readonly #rows = new Map<string, { -readonly [K in keyof FailoverCount]: FailoverCount[K] }>();
  readonly #changed = new Set<string>();

  count(balancer: BalancerName, node: NodeId, cause: FailoverCause): void {
    const key = `${balancer} ${node} ${cause}`;
    const row = this.#rows.get(key);
    if (row !== undefined) row.count++;
    else {
      this.#rows.set(key, { balancer, node, cause, count: 1 });
      if (this.#rows.size > MAX_ROWS) this.#forgetOldest();
    }
    this.#changed.add(key);
  }

  /** Rows that have changed since the last call; `undefined` when none has. */
  take(): readonly FailoverCount[] | undefined {
    if (this.#changed.size === 0) return undefined;
    const rows: FailoverCount[] = [];
    for (const key of this.#changed) {
      const row = this.#rows.get(key);
      if (row !== undefined) rows.push({ ...row });
    }
    this.#changed.clear();
    return rows;
  }

  /** Reports all rows again: the connection of the feed is a new one. */
  tellAgain(): void {
    for (const key of this.#rows.keys()) this.#changed.add(key);
  }

  #forgetOldest(): void {
    for (const key of this.#rows.keys()) {
      this.#rows.delete(key);
      return;
    }
  }
}
