/** The proxy workers for pages and metrics: connected workers, and counters that survive the restart of a worker. */
import type { WorkerCounters, WorkerHello, WorkerObserved } from '@rollcall/feed';
import { NO_COUNTERS } from '@rollcall/feed';
import type { NodeId, WorkerResource } from '@rollcall/protocol';
import type { Clocks } from '../clocks.ts';

/** Upper bound of remembered workers; beyond it disconnected workers are dropped. */
const MAX_WORKERS = 1_000;
/** Time over which requests per second are measured, milliseconds. */
const RATE_WINDOW_MS = 10_000;
/** A refused worker is listed for this time after its last attempt, milliseconds: three of its retry intervals. */
const REFUSED_MS = 20_000;

interface WorkerRow {
  readonly worker: string;
  readonly pid: number;
  readonly version: string;
  readonly connectedAtUnixMs: number;
  isConnected: boolean;
  revision: number;
  totals: WorkerCounters;
}

export class WorkerTable {
  readonly #clocks: Clocks;
  readonly #rows = new Map<string, WorkerRow>();
  /** Workers with another version of the feed, by name. */
  readonly #refused = new Map<
    string,
    { readonly hello: WorkerHello; readonly reason: string; readonly atMs: number }
  >();
  readonly #samples: { readonly atMs: number; readonly requests: number }[] = [];
  /** Counters of workers that have ended. */
  #ended: WorkerCounters = NO_COUNTERS;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
  }

  get connected(): number {
    let count = 0;
    for (const row of this.#rows.values()) if (row.isConnected) count += 1;
    return count;
  }

  /** Adds a worker after its hello. After a reconnect of the same process its counters continue. */
  join({ worker, pid, version }: WorkerHello): void {
    const known = this.#rows.get(worker);
    const isSameProcess = known?.pid === pid;
    this.#refused.delete(worker);
    if (known && !isSameProcess) this.#ended = sum(this.#ended, asEnded(known.totals));
    this.#rows.delete(worker);
    this.#rows.set(worker, {
      worker,
      pid,
      version,
      connectedAtUnixMs: Math.floor(this.#clocks.nowUnixMs()),
      isConnected: true,
      revision: 0,
      totals: isSameProcess ? known.totals : NO_COUNTERS,
    });
    this.#forgetSurplus();
  }

  /** Adds a worker with another version of the feed. Returns true if it was not listed yet. */
  refuse(hello: WorkerHello, reason: string): boolean {
    const isNews = this.#refused.get(hello.worker)?.reason !== reason;
    this.#refused.delete(hello.worker);
    this.#refused.set(hello.worker, { hello, reason, atMs: this.#clocks.nowMs() });
    const [oldest] = this.#refused.keys();
    if (this.#refused.size > MAX_WORKERS) this.#refused.delete(oldest ?? '');
    return isNews;
  }

  /** Reasons of the refusals of workers that still retry. */
  refusals(): readonly string[] {
    return this.#stillRefused().map(({ reason }) => reason);
  }

  #stillRefused(): readonly { readonly hello: WorkerHello; readonly reason: string; readonly atMs: number }[] {
    const nowMs = this.#clocks.nowMs();
    return [...this.#refused.values()].filter(({ atMs }) => nowMs - atMs < REFUSED_MS);
  }

  leave(worker: string): void {
    const row = this.#rows.get(worker);
    if (!row) return;
    row.isConnected = false;
    row.totals = asEnded(row.totals);
  }

  applied(worker: string, revision: number): void {
    const row = this.#rows.get(worker);
    if (row) row.revision = revision;
  }

  count(worker: string, totals: WorkerCounters): void {
    const row = this.#rows.get(worker);
    if (row) row.totals = totals;
  }

  /** Connected and refused workers, by name. */
  resources(revision: number): WorkerResource[] {
    const rows = [...this.#rows.values()].filter((row) => row.isConnected);
    const connected = rows.map(
      (row): WorkerResource => ({
        worker: row.worker,
        pid: row.pid,
        version: row.version,
        connectedAtUnixMs: row.connectedAtUnixMs,
        revision: row.revision,
        isCurrent: row.revision >= revision,
        requests: row.totals.requests,
        inFlight: row.totals.inFlight,
        connections: row.totals.connections,
        loopDelayMs: row.totals.loopDelayMs,
      }),
    );
    const refused = this.#stillRefused().map(
      ({ hello: { worker, pid, version }, reason }): WorkerResource => ({
        worker,
        pid,
        version,
        connectedAtUnixMs: 0,
        revision: 0,
        isCurrent: false,
        requests: 0,
        inFlight: 0,
        connections: 0,
        loopDelayMs: 0,
        refused: reason,
      }),
    );
    return [...connected, ...refused].sort((one, other) => (one.worker < other.worker ? -1 : 1));
  }

  /** Sums over all workers since the start of the coordinator, including ended workers. */
  totals(): WorkerCounters {
    let totals = this.#ended;
    for (const row of this.#rows.values()) totals = sum(totals, row.totals);
    return totals;
  }

  /** Takes a sample for `requestsPerSecond`. Call it about once a second. */
  sample(): void {
    const atMs = this.#clocks.nowMs();
    this.#samples.push({ atMs, requests: this.totals().requests });
    while (this.#samples.length > 2 && atMs - this.#samples[0]!.atMs > RATE_WINDOW_MS) this.#samples.shift();
  }

  /** Mean over the last ten seconds; 0 before the first samples. */
  requestsPerSecond(): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last || last.atMs <= first.atMs) return 0;
    return Math.max(0, (last.requests - first.requests) / ((last.atMs - first.atMs) / 1_000));
  }

  #forgetSurplus(): void {
    if (this.#rows.size <= MAX_WORKERS) return;
    for (const row of this.#rows.values()) {
      if (row.isConnected) continue;
      this.#rows.delete(row.worker);
      this.#ended = sum(this.#ended, row.totals);
      return;
    }
  }
}

/** Counters of a worker that has ended: values of the present moment are 0. */
function asEnded(totals: WorkerCounters): WorkerCounters {
  return { ...totals, inFlight: 0, connections: 0, parked: 0, oldestParkedMs: 0, loopDelayMs: 0 };
}

function sum(one: WorkerCounters, other: WorkerCounters): WorkerCounters {
  const [a, b, c, d, e] = one.statusClasses;
  const [v, w, x, y, z] = other.statusClasses;
  return {
    requests: one.requests + other.requests,
    inFlight: one.inFlight + other.inFlight,
    connections: one.connections + other.connections,
    accepted: one.accepted + other.accepted,
    bytesIn: one.bytesIn + other.bytesIn,
    bytesOut: one.bytesOut + other.bytesOut,
    statusClasses: [a + v, b + w, c + x, d + y, e + z],
    retries: one.retries + other.retries,
    failovers: one.failovers + other.failovers,
    parked: one.parked + other.parked,
    oldestParkedMs: Math.max(one.oldestParkedMs, other.oldestParkedMs),
    refusals: one.refusals.map((count, i) => count + (other.refusals[i] ?? 0)),
    clientAborts: one.clientAborts + other.clientAborts,
    unavailable: one.unavailable + other.unavailable,
    unknownRoutes: one.unknownRoutes + other.unknownRoutes,
    moved: one.moved + other.moved,
    proxyHeaderRefusals: one.proxyHeaderRefusals + other.proxyHeaderRefusals,
    logLinesLost: one.logLinesLost + other.logLinesLost,
    accessLogLinesLost: one.accessLogLinesLost + other.accessLogLinesLost,
    loopDelayMs: Math.max(one.loopDelayMs, other.loopDelayMs),
    latencyBuckets: one.latencyBuckets.map((count, i) => count + (other.latencyBuckets[i] ?? 0)),
    latencySumMs: one.latencySumMs + other.latencySumMs,
  };
}

/** Describes an observation of a worker about a node in one sentence. */
export function observedSentence(worker: string, id: NodeId, what: WorkerObserved['what'], reason: string): string {
  if (what === 'not-allowed') return `worker ${worker} does not connect to node ${id}: ${reason}`;
  return `worker ${worker} ${what} node ${id}${reason === '' ? '' : `: ${reason}`}`;
}
