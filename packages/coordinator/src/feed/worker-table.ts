/** The proxy workers for pages and metrics: connected workers, and counters that survive the restart of a worker. */
import { noAnswers } from '@rollcall/core';
import type { BalancerCounters, WorkerCounters, WorkerHello, WorkerObserved } from '@rollcall/feed';
import { NO_COUNTERS } from '@rollcall/feed';
import type { BalancerName, NodeId, WorkerResource } from '@rollcall/protocol';
import type { Clocks } from '../clocks.ts';
import { type BalancerTotals, balancerTotals, noBalancerTotals } from './balancer-totals.ts';

/** Upper bound of remembered workers; beyond it disconnected workers are dropped. */
const MAX_WORKERS = 1_000;
/** Time over which requests per second are measured, milliseconds. */
const RATE_WINDOW_MS = 10_000;
/**
 * A worker is older than the coordinator if its counters began at least this much earlier, milliseconds. Processes that start together begin
 * within this time.
 */
const OLDER_MS = 5_000;
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
  /** Its first counters do not count: most of it was before this coordinator. */
  isFirst: boolean;
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
  /** Counters of workers that have ended, less what older workers had counted when they first joined. */
  #ended: WorkerCounters = NO_COUNTERS;
  readonly #balancers = balancerTotals(MAX_WORKERS);
  readonly #startedMs: number;
  /** Requests, unavailable requests and answers by class without a balancer, as last read. */
  readonly #rest: number[] = [];

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
    this.#startedMs = clocks.nowMs();
  }

  get connected(): number {
    let count = 0;
    for (const row of this.#rows.values()) if (row.isConnected) count += 1;
    return count;
  }

  /** True if the counters of the worker began before this coordinator. */
  isOlder({ ageMs = 0 }: WorkerHello): boolean {
    return ageMs > this.#clocks.nowMs() - this.#startedMs + OLDER_MS;
  }

  /** Adds a worker after its hello. After a reconnect of the same process its counters continue. */
  join(hello: WorkerHello): void {
    const { worker, pid, version } = hello;
    const isOlder = this.isOlder(hello);
    this.#balancers.join({ worker, process: pid, isOlder }, this.#clocks.nowMs());
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
      isFirst: isSameProcess ? known.isFirst : isOlder && known === undefined,
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

  count(worker: string, totals: WorkerCounters, balancers: readonly BalancerCounters[] = []): void {
    const row = this.#rows.get(worker);
    if (!row) return;
    if (row.isFirst) this.#ended = sum(this.#ended, asEnded(totals), -1);
    row.isFirst = false;
    row.totals = totals;
    this.#balancers.add(worker, balancers, this.#clocks.nowMs());
  }

  /**
   * Sums over all workers since the start of the coordinator, including ended workers; zeros before the first request. What a worker had
   * counted before this coordinator started is left out.
   */
  balancer(name: BalancerName): BalancerTotals {
    return this.#balancers.get(name) ?? noBalancerTotals();
  }

  /** Counts of requests for which no context matched, and of workers of earlier releases. They never fall. */
  withoutBalancer(): Pick<BalancerTotals, 'requests' | 'unavailable' | 'answers'> {
    const { requests, unavailable, statusClasses } = this.totals();
    const rest = [requests, unavailable, ...statusClasses];
    for (const { requests, unavailable, answers } of this.#balancers.all())
      for (const [i, count] of [requests, unavailable, ...answers.statusClasses].entries()) rest[i]! -= count;
    // The counters of one worker may arrive in several messages, the totals first.
    for (const [i, count] of rest.entries()) this.#rest[i] = Math.max(this.#rest[i] ?? 0, count);
    const [ofRequests = 0, ofUnavailable = 0, ...classes] = this.#rest;
    return { requests: ofRequests, unavailable: ofUnavailable, answers: { ...noAnswers(), statusClasses: classes } };
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

/** `one` and `times` the counts of `other`. */
function sum(one: WorkerCounters, other: WorkerCounters, times: 1 | -1 = 1): WorkerCounters {
  const [a, b, c, d, e] = one.statusClasses;
  const [v, w, x, y, z] = other.statusClasses;
  return {
    requests: one.requests + times * other.requests,
    inFlight: one.inFlight + times * other.inFlight,
    connections: one.connections + times * other.connections,
    accepted: one.accepted + times * other.accepted,
    bytesIn: one.bytesIn + times * other.bytesIn,
    bytesOut: one.bytesOut + times * other.bytesOut,
    statusClasses: [a + times * v, b + times * w, c + times * x, d + times * y, e + times * z],
    retries: one.retries + times * other.retries,
    failovers: one.failovers + times * other.failovers,
    parked: one.parked + times * other.parked,
    oldestParkedMs: Math.max(one.oldestParkedMs, other.oldestParkedMs),
    refusals: one.refusals.map((count, i) => count + times * (other.refusals[i] ?? 0)),
    clientAborts: one.clientAborts + times * other.clientAborts,
    unavailable: one.unavailable + times * other.unavailable,
    unknownRoutes: one.unknownRoutes + times * other.unknownRoutes,
    moved: one.moved + times * other.moved,
    proxyHeaderRefusals: one.proxyHeaderRefusals + times * other.proxyHeaderRefusals,
    logLinesLost: one.logLinesLost + times * other.logLinesLost,
    accessLogLinesLost: one.accessLogLinesLost + times * other.accessLogLinesLost,
    loopDelayMs: Math.max(one.loopDelayMs, other.loopDelayMs),
  };
}

/** Describes an observation of a worker about a node in one sentence. */
export function observedSentence(worker: string, id: NodeId, what: WorkerObserved['what'], reason: string): string {
  if (what === 'not-allowed') return `worker ${worker} does not connect to node ${id}: ${reason}`;
  return `worker ${worker} ${what} node ${id}${reason === '' ? '' : `: ${reason}`}`;
}
