/** Measurements of a run. */
import { LatencyHistogram } from './latency-histogram.ts';
import type { Scenario } from './scenario.ts';
import type { NodeStanding } from './sim-node.ts';

export interface RunResult {
  readonly requests: number;
  /** Share of requests with an error or without an answer before the deadline. */
  readonly errorShare: number;
  /** The same share of the requests that ended within the measured time, as some studies count. */
  readonly errorShareOfEnded: number;
  /** Failed requests count with the deadline as their latency. */
  readonly latencies: LatencyHistogram;
  /** Latencies of each window of the scenario, by name. */
  readonly windows: ReadonlyMap<string, LatencyHistogram>;
  /** Share of the time for which the enabled nodes were busy, by window; NaN without a sample. */
  readonly busyShares: ReadonlyMap<string, number>;
  /** Maximum over mean of the placed work per speed, of nodes that were present all the time. */
  readonly workMaxOverMean: number;
  /** Maximum over mean of the sessions per speed, median over time; `undefined` without sessions. */
  readonly sessionsMaxOverMean?: number;
  /** The same of the demand of the sessions, requests per second. */
  readonly demandMaxOverMean?: number;
  /** Measurements of joining nodes; of several nodes the slowest time and the highest share. */
  readonly join?: JoinResult;
  /** Share of requests that moved their session away from a hot node. */
  readonly movedShare: number;
  /** Number of ejections, over all proxies. */
  readonly ejections: number;
}

export interface JoinResult {
  /** Time from the join until the node has 90 % of its fair share, milliseconds; `undefined` if never. */
  readonly fairAfterMs: number | undefined;
  /** The same in mean session lifetimes. */
  readonly fairAfterLives?: number;
  /** Maximum share over fair share. */
  readonly peakShare: number;
}

/** Interval of samples of shares and sessions, milliseconds. */
export const LOOK_MS = 250;
const FAIR = 0.9;
/** Weight of the newest sample in the smoothed share of placed work, without sessions. */
const SHARE_ALPHA = 0.2;

interface Watched {
  readonly node: NodeStanding;
  fairAtMs: number | undefined;
  peakShare: number;
}

export class Measures {
  readonly #scenario: Scenario;
  readonly #latencies = new LatencyHistogram();
  readonly #windows = new Map<string, LatencyHistogram>();
  /** Samples of enabled nodes by window: all of them, and those with a request. */
  readonly #busy = new Map<string, { samples: number; busy: number }>();
  readonly #placedWork = new Map<NodeStanding, number>();
  readonly #recentWork = new Map<NodeStanding, { placed: number; smoothed: number }>();
  readonly #sessionRatios: number[] = [];
  readonly #demandRatios: number[] = [];
  readonly #joined: Watched[] = [];
  #requests = 0;
  #errors = 0;
  #ended = 0;
  #endedErrors = 0;
  #moved = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    for (const { name } of scenario.windows ?? []) {
      this.#windows.set(name, new LatencyHistogram());
      this.#busy.set(name, { samples: 0, busy: 0 });
    }
  }

  /** Records the end of a request. `latencyMs` is ignored if `isError`. */
  request(sentMs: number, latencyMs: number, isError: boolean): void {
    const { deadlineMs, windows = [] } = this.#scenario;
    if (!this.#isMeasured(sentMs)) return;
    const countedMs = isError ? deadlineMs : latencyMs;
    this.#requests++;
    if (isError) this.#errors++;
    if (this.#isMeasured(sentMs + countedMs)) {
      this.#ended++;
      if (isError) this.#endedErrors++;
    }
    this.#latencies.add(countedMs);
    for (const { name, fromMs, toMs } of windows)
      if (sentMs >= fromMs && sentMs < toMs) this.#windows.get(name)!.add(countedMs);
  }

  placed(node: NodeStanding, workMs: number, nowMs: number): void {
    const recent = this.#recentWork.get(node) ?? { placed: 0, smoothed: 0 };
    recent.placed += workMs;
    this.#recentWork.set(node, recent);
    if (this.#isMeasured(nowMs)) this.#placedWork.set(node, (this.#placedWork.get(node) ?? 0) + workMs);
  }

  moved(nowMs: number): void {
    if (this.#isMeasured(nowMs)) this.#moved++;
  }

  joined(node: NodeStanding): void {
    this.#joined.push({ node, fairAtMs: undefined, peakShare: 0 });
  }

  /** Samples shares and sessions. The caller calls it every `LOOK_MS`. */
  look(nodes: readonly NodeStanding[], nowMs: number): void {
    const open = nodes.filter(({ isEnabled, isGone }) => isEnabled && !isGone);
    for (const { name, fromMs, toMs } of this.#scenario.windows ?? [])
      if (nowMs >= fromMs && nowMs < toMs) {
        const sampled = this.#busy.get(name)!;
        sampled.samples += open.length;
        sampled.busy += open.filter(({ inFlight }) => inFlight > 0).length;
      }
    for (const recent of this.#recentWork.values()) {
      recent.smoothed += SHARE_ALPHA * (recent.placed - recent.smoothed);
      recent.placed = 0;
    }
    if (this.#scenario.sessions && this.#isMeasured(nowMs)) {
      this.#sessionRatios.push(maxOverMean(open.map(({ sessions, speed }) => sessions / speed)));
      this.#demandRatios.push(maxOverMean(open.map(({ demand, speed }) => demand / speed)));
    }
    const carried = (node: NodeStanding): number =>
      this.#scenario.sessions ? node.demand : (this.#recentWork.get(node)?.smoothed ?? 0);
    const total = sum(open.map(carried));
    const speeds = sum(open.map(({ speed }) => speed));
    for (const watched of this.#joined) {
      if (total === 0 || nowMs <= watched.node.upAtMs) continue;
      const share = carried(watched.node) / total / (watched.node.speed / speeds);
      watched.peakShare = Math.max(watched.peakShare, share);
      if (share >= FAIR) watched.fairAtMs ??= nowMs;
    }
  }

  result(nodes: readonly NodeStanding[], ejections: number): RunResult {
    const { warmupMs, durationMs, sessions } = this.#scenario;
    const always = nodes.filter(({ upAtMs, goneAtMs }) => upAtMs <= warmupMs && goneAtMs >= warmupMs + durationMs);
    return {
      requests: this.#requests,
      errorShare: this.#errors / Math.max(1, this.#requests),
      errorShareOfEnded: this.#endedErrors / Math.max(1, this.#ended),
      latencies: this.#latencies,
      windows: this.#windows,
      busyShares: new Map([...this.#busy].map(([name, { samples, busy }]) => [name, busy / samples])),
      workMaxOverMean: maxOverMean(always.map((node) => (this.#placedWork.get(node) ?? 0) / node.speed)),
      ...(sessions && {
        sessionsMaxOverMean: median(this.#sessionRatios),
        demandMaxOverMean: median(this.#demandRatios),
      }),
      ...(this.#joined.length > 0 && { join: this.#joinResult() }),
      movedShare: this.#moved / Math.max(1, this.#requests),
      ejections,
    };
  }

  #joinResult(): JoinResult {
    const afterMs = this.#joined.map(({ node, fairAtMs }) => (fairAtMs ?? Number.POSITIVE_INFINITY) - node.upAtMs);
    const last = Math.max(...afterMs);
    const fairAfterMs = Number.isFinite(last) ? last : undefined;
    const lifeMs = this.#scenario.sessions?.lifeMs;
    return {
      fairAfterMs,
      ...(fairAfterMs !== undefined && lifeMs !== undefined && { fairAfterLives: fairAfterMs / lifeMs }),
      peakShare: Math.max(...this.#joined.map(({ peakShare }) => peakShare)),
    };
  }

  #isMeasured(atMs: number): boolean {
    const { warmupMs, durationMs } = this.#scenario;
    return atMs >= warmupMs && atMs < warmupMs + durationMs;
  }
}

function maxOverMean(values: readonly number[]): number {
  const mean = sum(values) / values.length;
  return mean > 0 ? Math.max(...values) / mean : 1;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The median; the mean of the two middle values for an even number; NaN if empty. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return sorted.length === 0 ? Number.NaN : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
