/**
 * What the workers see of the nodes: their newest counters, the revision they act upon, and who is away.
 */
import type { NodeCounters, NodeId, SessionSample } from '@rollcall/protocol';
import { ActiveSessions } from '../sticky/active-sessions.ts';
import { isOver, shiftedByStall } from './lease.ts';

interface WorkerRecord {
  readonly name: string;
  leftAtMs: number | undefined;
  /** Newest revision it has said to act upon in this connection; -1 before the first word. */
  revision: number;
  readonly nodes: Map<NodeId, NodeCounters>;
  /** How coarse its samples of sessions are; nodes not in it are counted one by one. */
  readonly sessionLevels: Map<NodeId, number>;
}

/** What the workers see of one node together; sums unless it says otherwise. */
export interface NodeTotals {
  readonly inFlight: number;
  readonly tunnels: number;
  /** Requests that wait for the node to answer. */
  readonly parked: number;
  /** Distinct over all workers. */
  readonly sessions: number;
  /** What the worker that sees most of them sees alone. */
  readonly sessionsOfOne: number;
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
  /** Sessions that any worker has told of, those that are gone since included: a session outlives a worker. */
  readonly #sessions = new Map<NodeId, ActiveSessions>();
  readonly #graceMs: number;
  readonly #seed: number;

  /** `seed` is for the tables of sessions. */
  constructor(graceMs: number, seed: number) {
    this.#graceMs = graceMs;
    this.#seed = seed;
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
      this.#workers.set(worker, {
        name: worker,
        leftAtMs: undefined,
        revision: -1,
        nodes: new Map(),
        sessionLevels: new Map(),
      });
    }
  }

  leave(worker: string, nowMs: number): void {
    const known = this.#workers.get(worker);
    if (known) known.leftAtMs ??= nowMs;
  }

  /** The worker has ended. */
  drop(worker: string): void {
    this.#workers.delete(worker);
  }

  /**
   * Takes a worker's counters; nodes not among them are unchanged. `maxRevision` is the newest there is: a larger one
   * is of another life of the coordinator and confirms nothing. Unknown nodes are the caller's to leave out. Returns how
   * many requests each node got since the worker's last word of it, in the order of `nodes`; `undefined` for a worker
   * that is not known.
   */
  observe(
    worker: string,
    revision: number,
    maxRevision: number,
    nodes: readonly NodeCounters[],
  ): readonly number[] | undefined {
    const known = this.#workers.get(worker);
    if (!known) return undefined;
    if (revision <= maxRevision) known.revision = Math.max(known.revision, revision);
    return nodes.map((counters) => {
      const before = known.nodes.get(counters.id);
      known.nodes.set(counters.id, counters);
      return requestsSince(before, counters);
    });
  }

  /**
   * Adds the sessions of a node that a worker has seen; `idleMs` is how long its balancer counts them. False for a
   * worker that is not known.
   */
  mergeSessions(worker: string, id: NodeId, sample: SessionSample, idleMs: number, nowMs: number): boolean {
    const known = this.#workers.get(worker);
    if (!known) return false;
    known.sessionLevels.set(id, sample.level);
    let floor = 0;
    for (const { sessionLevels } of this.#workers.values()) floor = Math.max(floor, sessionLevels.get(id) ?? 0);
    let sessions = this.#sessions.get(id);
    if (sessions === undefined) {
      sessions = new ActiveSessions(idleMs, this.#seed);
      this.#sessions.set(id, sessions);
    }
    sessions.merge(sample, floor, nowMs);
    return true;
  }

  /** The sessions of a node are counted by another idle time. */
  setIdleMs(id: NodeId, idleMs: number, nowMs: number): void {
    this.#sessions.get(id)?.setIdleMs(idleMs, nowMs);
  }

  /** Another process has the node's id now: its sessions are those that are seen from now on. */
  forgetSessions(id: NodeId): void {
    this.#sessions.delete(id);
    for (const { sessionLevels } of this.#workers.values()) sessionLevels.delete(id);
  }

  /** How long the longest session of the node has been known here; `undefined` while no worker has told of any. */
  oldestSessionMs(id: NodeId, nowMs: number): number | undefined {
    return this.#sessions.get(id)?.oldestMs(nowMs);
  }

  /** Drops workers whose time of grace is over, and names them. */
  dropLeft(nowMs: number): readonly string[] {
    const dropped: string[] = [];
    for (const worker of this.#workers.values()) {
      if (worker.leftAtMs === undefined) continue;
      if (!isOver({ renewedAtMs: worker.leftAtMs, durationMs: this.#graceMs }, nowMs)) continue;
      this.#workers.delete(worker.name);
      dropped.push(worker.name);
    }
    return dropped;
  }

  /** The coordinator stood still: give those who left as much longer. */
  shift(stalledMs: number, nowMs: number): void {
    for (const worker of this.#workers.values())
      if (worker.leftAtMs !== undefined) worker.leftAtMs = shiftedByStall(worker.leftAtMs, stalledMs, nowMs);
  }

  forget(id: NodeId): void {
    this.#sessions.delete(id);
    for (const worker of this.#workers.values()) {
      worker.nodes.delete(id);
      worker.sessionLevels.delete(id);
    }
  }

  /** Workers that have not said to act upon `revision`, or that are away and may still be serving. */
  waitingFor(revision: number): string[] {
    const missing: string[] = [];
    for (const worker of this.#workers.values())
      if (worker.leftAtMs !== undefined || worker.revision < revision) missing.push(worker.name);
    return missing;
  }

  /** The sessions of a node in `totals`, alone. */
  sessions(id: NodeId, nowMs: number): number {
    let ofOne = 0;
    for (const { nodes } of this.#workers.values()) ofOne = Math.max(ofOne, nodes.get(id)?.activeSessions ?? 0);
    // What a worker counts may be ahead of what it has told of.
    return Math.max(ofOne, this.#sessions.get(id)?.count(nowMs) ?? 0);
  }

  /** The requests in flight in `totals`, alone. */
  inFlight(id: NodeId): number {
    let inFlight = 0;
    for (const { nodes } of this.#workers.values()) inFlight += nodes.get(id)?.inFlight ?? 0;
    return inFlight;
  }

  totals(id: NodeId, nowMs: number): NodeTotals {
    let [inFlight, tunnels, sessionsOfOne, requests, failures, serverErrors] = [0, 0, 0, 0, 0, 0];
    let [newSessions, bytesToNode, bytesFromNode, latencySum, latencyShare, parked] = [0, 0, 0, 0, 0, 0];
    const ejectedBy: string[] = [];
    for (const worker of this.#workers.values()) {
      const counters = worker.nodes.get(id);
      if (!counters) continue;
      inFlight += counters.inFlight;
      tunnels += counters.tunnels;
      parked += counters.parked;
      sessionsOfOne = Math.max(sessionsOfOne, counters.activeSessions);
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
      parked,
      sessions: this.sessions(id, nowMs),
      sessionsOfOne,
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

/** The first word of a node tells only where counting begins; a smaller total is that of a new process. */
function requestsSince(before: NodeCounters | undefined, { requests }: NodeCounters): number {
  if (before === undefined) return 0;
  return requests >= before.requests ? requests - before.requests : requests;
}
