/** What is measured of a run. */
import { LatencyHistogram } from './latency-histogram.ts';
import type { Scenario } from './scenario.ts';
import type { NodeStanding } from './sim-node.ts';

export interface RunResult {
  readonly requests: number;
  /** Share of requests without an answer in time, or with an error. */
  readonly errorShare: number;
  /** The same of requests that were over when the measured time was, as some studies count. */
  readonly errorShareOfEnded: number;
  /** Requests with an error or without an answer count as having taken until the deadline. */
  readonly latencies: LatencyHistogram;
  /** By name, as the scenario says. */
  readonly windows: ReadonlyMap<string, LatencyHistogram>;
  /** Work placed on the node that got most for its speed, over the mean; of nodes that were there all the time. */
  readonly workMaxOverMean: number;
  /** Sessions of the node that had most for its speed, over the mean, median over time; `undefined` without sessions. */
  readonly sessionsMaxOverMean?: number;
  /** The same of what the sessions ask for. */
  readonly demandMaxOverMean?: number;
  /** Of joining nodes, the last of several. */
  readonly join?: JoinResult;
  /** Share of all requests that were sent away from their session's hot node. */
  readonly movedShare: number;
  /** Times that a proxy ejected a node. */
  readonly ejections: number;
}

export interface JoinResult {
  /** Milliseconds until it carried 90 % of its fair share; `undefined` when it never did. */
  readonly fairAfterMs: number | undefined;
  /** The same in lives of a session. */
  readonly fairAfterLives?: number;
  /** The most it carried, over its fair share. */
  readonly peakShare: number;
}

/** Between two looks at who has what. */
export const LOOK_MS = 250;
const FAIR = 0.9;
/** Without sessions a share is one of the work placed in the last looks, smoothed by this. */
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
    for (const { name } of scenario.windows ?? []) this.#windows.set(name, new LatencyHistogram());
  }

  /** A request that came at `sentMs` is over. */
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

  /** Looks at who has what; to be called every `LOOK_MS`. */
  look(nodes: readonly NodeStanding[], nowMs: number): void {
    const open = nodes.filter(({ isEnabled, isGone }) => isEnabled && !isGone);
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

/** Of an even number the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return sorted.length === 0 ? Number.NaN : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
