/**
 * What the workers see of the nodes: their newest counters, the revision they act upon, and who is away.
 */
import type { NodeCounters, NodeId } from '@rollcall/protocol';
import { isOver, shiftedByStall } from './lease.ts';

interface WorkerRecord {
  readonly name: string;
  leftAtMs: number | undefined;
  /** Newest revision it has said to act upon in this connection; -1 before the first word. */
  revision: number;
  readonly nodes: Map<NodeId, NodeCounters>;
}

/** Sums over the workers for one node. */
export interface NodeTotals {
  readonly inFlight: number;
  readonly tunnels: number;
  readonly sessions: number;
  readonly requests: number;
  readonly failures: number;
  readonly serverErrors: number;
  readonly newSessions: number;
  readonly bytesToNode: number;
  readonly bytesFromNode: number;
  /** Mean of the workers' smoothed latencies, each by its share of the requests; -1 before the first answer. */
  readonly latencyMs: number;
  readonly ejectedBy: readonly string[];
}

export class WorkerCounts {
  readonly #workers = new Map<string, WorkerRecord>();
  readonly #graceMs: number;

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  get size(): number {
    return this.#workers.size;
  }

  has(worker: string): boolean {
    return this.#workers.has(worker);
  }

  /** A worker is here (again). What it said before stands until it says otherwise, but no revision does. */
  join(worker: string): void {
    const known = this.#workers.get(worker);
    if (known) {
      known.leftAtMs = undefined;
      known.revision = -1;
    } else {
      this.#workers.set(worker, { name: worker, leftAtMs: undefined, revision: -1, nodes: new Map() });
    }
  }

  leave(worker: string, nowMs: number): void {
    const known = this.#workers.get(worker);
    if (known) known.leftAtMs ??= nowMs;
  }

  /**
   * Takes a worker's counters; nodes not among them are unchanged. `maxRevision` is the newest there is: a larger one
   * is of another life of the coordinator and confirms nothing. Unknown nodes are the caller's to leave out. False for a
   * worker that is not known.
   */
  observe(worker: string, revision: number, maxRevision: number, nodes: readonly NodeCounters[]): boolean {
    const known = this.#workers.get(worker);
    if (!known) return false;
    if (revision <= maxRevision) known.revision = Math.max(known.revision, revision);
    for (const counters of nodes) known.nodes.set(counters.id, counters);
    return true;
  }

  /** Drops workers whose time of grace is over. */
  dropLeft(nowMs: number): void {
    for (const worker of this.#workers.values()) {
      if (worker.leftAtMs === undefined) continue;
      if (isOver({ renewedAtMs: worker.leftAtMs, durationMs: this.#graceMs }, nowMs)) this.#workers.delete(worker.name);
    }
  }

  /** The coordinator stood still: give those who left as much longer. */
  shift(stalledMs: number, nowMs: number): void {
    for (const worker of this.#workers.values())
      if (worker.leftAtMs !== undefined) worker.leftAtMs = shiftedByStall(worker.leftAtMs, stalledMs, nowMs);
  }

  forget(id: NodeId): void {
    for (const worker of this.#workers.values()) worker.nodes.delete(id);
  }

  /** Workers that have not said to act upon `revision`, or that are away and may still be serving. */
  waitingFor(revision: number): string[] {
    const missing: string[] = [];
    for (const worker of this.#workers.values())
      if (worker.leftAtMs !== undefined || worker.revision < revision) missing.push(worker.name);
    return missing;
  }

  totals(id: NodeId): NodeTotals {
    let [inFlight, tunnels, sessions, requests, failures, serverErrors] = [0, 0, 0, 0, 0, 0];
    let [newSessions, bytesToNode, bytesFromNode, latencySum, latencyShare] = [0, 0, 0, 0, 0];
    const ejectedBy: string[] = [];
    for (const worker of this.#workers.values()) {
      const counters = worker.nodes.get(id);
      if (!counters) continue;
      inFlight += counters.inFlight;
      tunnels += counters.tunnels;
      sessions += counters.activeSessions;
      requests += counters.requests;
      failures += counters.failures;
      serverErrors += counters.serverErrors;
      newSessions += counters.newSessions;
      bytesToNode += counters.bytesToNode;
      bytesFromNode += counters.bytesFromNode;
      if (counters.latencyMs >= 0) {
        const share = Math.max(1, counters.requests);
        latencySum += counters.latencyMs * share;
        latencyShare += share;
      }
      if (counters.isEjected) ejectedBy.push(worker.name);
    }
    const latencyMs = latencyShare === 0 ? -1 : latencySum / latencyShare;
    return {
      inFlight,
      tunnels,
      sessions,
      requests,
      failures,
      serverErrors,
      newSessions,
      bytesToNode,
      bytesFromNode,
      latencyMs,
      ejectedBy,
    };
  }
}
