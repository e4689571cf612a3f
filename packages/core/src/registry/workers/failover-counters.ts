/**
 * Number of sessions that were moved away from nodes, per balancer, node and cause, over all workers. Workers report totals since their own
 * start. The counts of a worker remain when it ends.
 */
import type { FailoverCount } from '@rollcall/feed';
import type { BalancerName, FailoverCause, NodeId } from '@rollcall/protocol';

/** Rows kept; beyond this the row that has not changed for the longest time is dropped. */
const MAX_FAILOVER_ROWS = 10_000;

interface Row {
  readonly balancer: BalancerName;
  readonly node: NodeId;
  readonly cause: FailoverCause;
  count: number;
}

interface Reporter {
  readonly process: number | undefined;
  /** Its total of each row, as last reported. */
  readonly counters: Map<string, number>;
}

export class FailoverCounters {
  readonly #maxRows: number;
  readonly #maxWorkers: number;
  /** In order of their last change. */
  readonly #rows = new Map<string, Row>();
  readonly #byNode = new Map<NodeId, Map<string, Row>>();
  readonly #reporters = new Map<string, Reporter>();

  constructor(maxWorkers: number, maxRows: number = MAX_FAILOVER_ROWS) {
    this.#maxWorkers = maxWorkers;
    this.#maxRows = maxRows;
  }

  /** Adds a worker that has connected. Another process of the same name counts from 0; the same process continues. */
  join(worker: string, process: number | undefined): void {
    const known = this.#reporters.get(worker);
    this.#reporters.delete(worker);
    const isSame = known !== undefined && known.process === process;
    this.#reporters.set(worker, isSame ? known : { process, counters: new Map() });
    if (this.#reporters.size <= this.#maxWorkers) return;
    const [oldest] = this.#reporters.keys();
    this.#reporters.delete(oldest!);
  }

  /** Removes a worker that has ended. */
  end(worker: string): void {
    this.#reporters.delete(worker);
  }

  /** Adds the totals that a worker reports, also of unknown nodes: a session may leave a forgotten node. */
  add(worker: string, reports: readonly FailoverCount[]): void {
    const counters = this.#reporters.get(worker)?.counters;
    if (counters === undefined) return;
    for (const { balancer, node, cause, count } of reports) {
      const key = `${balancer} ${node} ${cause}`;
      const before = counters.get(key) ?? 0;
      if (count === before) continue;
      counters.set(key, count);
      this.#increase(key, { balancer, node, cause, count: count > before ? count - before : count });
      if (counters.size > this.#maxRows) counters.delete(counters.keys().next().value!);
    }
  }

  /** All rows. */
  all(): IterableIterator<FailoverCount> {
    return this.#rows.values();
  }

  /** The counts of one node by cause; causes without a count are absent. */
  of(id: NodeId): Partial<Record<FailoverCause, number>> {
    const sums: Partial<Record<FailoverCause, number>> = {};
    for (const { cause, count } of this.#byNode.get(id)?.values() ?? []) sums[cause] = (sums[cause] ?? 0) + count;
    return sums;
  }

  #increase(key: string, by: Row): void {
    const row = this.#rows.get(key) ?? { ...by, count: 0 };
    row.count += by.count;
    this.#rows.delete(key);
    this.#rows.set(key, row);
    const ofNode = this.#byNode.get(row.node) ?? new Map<string, Row>();
    this.#byNode.set(row.node, ofNode.set(key, row));
    if (this.#rows.size > this.#maxRows) this.#dropOldest();
  }

  #dropOldest(): void {
    const [oldest] = this.#rows;
    if (oldest === undefined) return;
    const [key, { node }] = oldest;
    this.#rows.delete(key);
    const ofNode = this.#byNode.get(node);
    ofNode?.delete(key);
    if (ofNode?.size === 0) this.#byNode.delete(node);
  }
}
