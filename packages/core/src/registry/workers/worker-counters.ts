/**
 * The workers' data about the nodes: their newest counters, the revision they have applied, and whether they are connected.
 */
import { hashesIn, type NodeCounters, type SessionSample, type WorkerSessions } from '@rollcall/feed';
import type { NodeId } from '@rollcall/protocol';
import { NodeSessions, type SampleFloors } from '../../sticky/node-sessions.ts';
import { isOver, shiftedByStall } from '../liveness/lease.ts';
import { type AnswerTotals, increase } from './answer-totals.ts';
import type { RecentOutcomes } from './node-outcomes.ts';
import { nodeTotals, noNodeTotals } from './node-totals.ts';
import type { Reporter } from './reported-totals.ts';

interface WorkerRecord {
  readonly name: string;
  leftAtMs: number | undefined;
  /** Newest revision that it has reported as applied on this connection; -1 before the first report. */
  revision: number;
  readonly nodes: Map<NodeId, NodeCounters>;
  /** Levels of its samples of sessions by node; nodes without an entry have levels of 0, an exact count. */
  readonly sessionLevels: Map<NodeId, SampleFloors>;
}

/** Counters of one node over all workers; sums unless stated otherwise. Totals include workers that have ended. */
export interface NodeCounterSums {
  readonly inFlight: number;
  readonly tunnels: number;
  /** Requests that wait for the node to answer. */
  readonly parked: number;
  /** Seen again; distinct over all workers. */
  readonly sessions: number;
  /** Seen once; distinct over all workers. */
  readonly sessionsSeenOnce: number;
  /** Largest count of a single worker, of both kinds. */
  readonly sessionsOfOne: number;
  readonly requests: number;
  readonly failures: number;
  readonly serverErrors: number;
  readonly newSessions: number;
  readonly bytesToNode: number;
  readonly bytesFromNode: number;
  /** Answers of the node. Changed in place by later reports. */
  readonly answers: Readonly<AnswerTotals>;
  /** Mean of the workers' smoothed latencies, each by its share of the requests; -1 before the first answer. */
  readonly latencyMs: number;
  readonly ejectedBy: readonly string[];
}

export class WorkerCounterTable {
  readonly #workers = new Map<string, WorkerRecord>();
  /** Sessions reported by any worker, also by workers that have ended: a session outlives a worker. */
  readonly #sessions = new Map<NodeId, NodeSessions>();
  /** Nodes with sessions that `takeSessions` has not returned since `tellSessionsAgain`. */
  readonly #untold = new Set<NodeId>();
  readonly #graceMs: number;
  readonly #seed: number;
  readonly #totals: ReturnType<typeof nodeTotals>;

  /** `graceMs`: how long a worker counts after it has left, milliseconds. `seed`: secret seed of the tables of sessions. */
  constructor({ graceMs, seed, maxWorkers }: { graceMs: number; seed: number; maxWorkers: number }) {
    this.#graceMs = graceMs;
    this.#seed = seed;
    this.#totals = nodeTotals(maxWorkers);
  }

  get size(): number {
    return this.#workers.size;
  }

  has(worker: string): boolean {
    return this.#workers.has(worker);
  }

  /** A worker has connected or reconnected. Its earlier counters stay until new ones arrive; its revision is reset. */
  join(reporter: Reporter, nowMs: number): void {
    const { worker } = reporter;
    this.#totals.join(reporter, nowMs);
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

  /** Removes a worker that has ended. */
  drop(worker: string): void {
    this.#workers.delete(worker);
    this.#totals.end(worker);
  }

  /**
   * Takes a worker's counters; nodes that are not in `nodes` stay unchanged. `maxRevision` is the newest revision of this
   * coordinator: a larger one comes from an earlier coordinator and is ignored. The caller leaves out unknown nodes.
   * Returns what has happened to each node since the worker's last counters, in the order of `nodes`; `undefined` for an
   * unknown worker.
   */
  observe(
    worker: string,
    revision: number,
    maxRevision: number,
    nodes: readonly NodeCounters[],
    nowMs: number,
  ): readonly RecentOutcomes[] | undefined {
    const known = this.#workers.get(worker);
    if (!known) return undefined;
    this.#totals.add(worker, nodes, nowMs);
    if (revision <= maxRevision) known.revision = Math.max(known.revision, revision);
    return nodes.map((counters) => {
      const before = known.nodes.get(counters.id);
      known.nodes.set(counters.id, counters);
      return outcomesSince(before, counters);
    });
  }

  /**
   * Adds the sessions of a node that a worker has seen; `idleMs` is the idle time of its balancer, milliseconds. False for
   * an unknown worker.
   */
  mergeSessions(worker: string, id: NodeId, sample: SessionSample, idleMs: number, nowMs: number): boolean {
    const known = this.#workers.get(worker);
    if (!known) return false;
    known.sessionLevels.set(id, {
      again: sample.level,
      once: sample.once?.level ?? known.sessionLevels.get(id)?.once ?? 0,
    });
    let sessions = this.#sessions.get(id);
    if (sessions === undefined) {
      sessions = new NodeSessions(idleMs, this.#seed);
      this.#sessions.set(id, sessions);
    }
    sessions.merge(sample, this.#floors(id), nowMs);
    return true;
  }

  #floors(id: NodeId): SampleFloors {
    let [again, once] = [0, 0];
    for (const { sessionLevels } of this.#workers.values()) {
      const levels = sessionLevels.get(id);
      again = Math.max(again, levels?.again ?? 0);
      once = Math.max(once, levels?.once ?? 0);
    }
    return { again, once };
  }

  /** A worker has joined or ended, so that no worker may have all sessions: `takeSessions` returns all again. */
  tellSessionsAgain(): void {
    for (const [id, sessions] of this.#sessions) {
      sessions.tellAgain();
      this.#untold.add(id);
    }
  }

  /** At most `max` sessions of all workers that were not taken yet; an empty list when all were. */
  takeSessions(max: number, nowMs: number): WorkerSessions['nodes'] {
    const taken: WorkerSessions['nodes'][number][] = [];
    let left = max;
    for (const id of this.#untold) {
      const sample = this.#sessions.get(id)?.take(left, nowMs);
      if (sample === undefined) {
        this.#untold.delete(id);
        continue;
      }
      taken.push({ id, ...sample });
      left -= hashesIn(sample);
      if (left <= 0) break;
    }
    return taken;
  }

  /** Changes the idle time for the sessions of a node. */
  setIdleMs(id: NodeId, idleMs: number, nowMs: number): void {
    this.#sessions.get(id)?.setIdleMs(idleMs, nowMs);
  }

  /** Drops the sessions of a node when another process has its id: it starts without sessions. */
  forgetSessions(id: NodeId): void {
    this.#sessions.delete(id);
    for (const { sessionLevels } of this.#workers.values()) sessionLevels.delete(id);
  }

  /**
   * Least age of the oldest session of the node that was seen again, milliseconds; `undefined` while no worker has reported one. Sessions
   * that are older than this coordinator count from its start.
   */
  oldestSessionMs(id: NodeId, nowMs: number): number | undefined {
    return this.#sessions.get(id)?.oldestMs(nowMs);
  }

  /** Drops workers whose grace time is over. Returns their names. */
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

  /** Extends the grace time of workers that have left by a stall of the coordinator. */
  shift(stalledMs: number, nowMs: number): void {
    for (const worker of this.#workers.values())
      if (worker.leftAtMs !== undefined) worker.leftAtMs = shiftedByStall(worker.leftAtMs, stalledMs, nowMs);
  }

  forget(id: NodeId): void {
    this.#sessions.delete(id);
    this.#totals.forget(id);
    for (const worker of this.#workers.values()) {
      worker.nodes.delete(id);
      worker.sessionLevels.delete(id);
    }
  }

  /** Workers that have not reported `revision` as applied, or that are disconnected and may still be serving. */
  waitingFor(revision: number): string[] {
    const missing: string[] = [];
    for (const worker of this.#workers.values())
      if (worker.leftAtMs !== undefined || worker.revision < revision) missing.push(worker.name);
    return missing;
  }

  /** Only the `sessions` of `counters`. */
  sessions(id: NodeId, nowMs: number): number {
    let ofOne = 0;
    for (const { nodes } of this.#workers.values()) ofOne = Math.max(ofOne, nodes.get(id)?.activeSessions ?? 0);
    // A worker's count may be ahead of the sessions that it has reported.
    return Math.max(ofOne, this.#sessions.get(id)?.again(nowMs) ?? 0);
  }

  /** Only the `sessionsSeenOnce` of `counters`. */
  sessionsSeenOnce(id: NodeId, nowMs: number): number {
    const merged = this.#sessions.get(id)?.once(nowMs) ?? 0;
    // Of several workers one may have seen a session once and another one again.
    if (this.#workers.size > 1) return merged;
    for (const { nodes } of this.#workers.values()) return Math.max(merged, nodes.get(id)?.sessionsSeenOnce ?? 0);
    return merged;
  }

  /** Sum over the workers of the sessions used within the last minute; `undefined` while a worker does not report it. */
  usedInLastMinute(id: NodeId): number | undefined {
    let sum: number | undefined;
    for (const { nodes } of this.#workers.values()) {
      const counters = nodes.get(id);
      if (counters === undefined) continue;
      if (counters.usedInLastMinute === undefined) return undefined;
      sum = (sum ?? 0) + counters.usedInLastMinute;
    }
    return sum;
  }

  /** Only the `inFlight` of `counters`. */
  inFlight(id: NodeId): number {
    let inFlight = 0;
    for (const { nodes } of this.#workers.values()) inFlight += nodes.get(id)?.inFlight ?? 0;
    return inFlight;
  }

  /** Only the `latencyMs` of `counters`. */
  latencyMs(id: NodeId): number {
    let [sum, shares] = [0, 0];
    for (const { nodes } of this.#workers.values()) {
      const { latencyMs = -1, requests = 0 } = nodes.get(id) ?? {};
      if (latencyMs < 0) continue;
      const share = Math.max(1, requests);
      sum += latencyMs * share;
      shares += share;
    }
    return shares === 0 ? -1 : sum / shares;
  }

  counters(id: NodeId, nowMs: number): NodeCounterSums {
    let [inFlight, tunnels, sessionsOfOne, parked] = [0, 0, 0, 0];
    const ejectedBy: string[] = [];
    for (const worker of this.#workers.values()) {
      const counters = worker.nodes.get(id);
      if (!counters) continue;
      inFlight += counters.inFlight;
      tunnels += counters.tunnels;
      parked += counters.parked;
      sessionsOfOne = Math.max(sessionsOfOne, counters.activeSessions + counters.sessionsSeenOnce);
      if (counters.isEjected) ejectedBy.push(worker.name);
    }
    return {
      ...(this.#totals.get(id) ?? noNodeTotals()),
      inFlight,
      tunnels,
      parked,
      sessions: this.sessions(id, nowMs),
      sessionsSeenOnce: this.sessionsSeenOnce(id, nowMs),
      sessionsOfOne,
      latencyMs: this.latencyMs(id),
      ejectedBy,
    };
  }
}

/** The first report on a node only sets the start of counting. A smaller total comes from a new process. */
function outcomesSince(before: NodeCounters | undefined, now: NodeCounters): RecentOutcomes {
  if (before === undefined) return { requests: 0, errors: 0 };
  const start = now.requests >= before.requests ? before : { requests: 0, failures: 0, serverErrors: 0 };
  const { latencyBuckets } = now.answers ?? {};
  const earlier = start === before ? before.answers?.latencyBuckets : undefined;
  return {
    requests: now.requests - start.requests,
    errors: now.failures - start.failures + now.serverErrors - start.serverErrors,
    ...(latencyBuckets && { latencies: latencyBuckets.map((count, i) => increase(count, earlier?.[i])) }),
  };
}
