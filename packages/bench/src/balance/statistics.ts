/** What one pass comes to, as pure arithmetic over its requests. */
import type { NodeCount, VisitReport } from './messages.ts';
import { type BalanceScenario, capacityMs, type PassLength } from './scenario.ts';
import type { TrafficPlan } from './traffic.ts';

/** The figures of one balancer in one pass. NaN and absent: there is no such figure. */
export interface PassFigures {
  readonly requests: number;
  /** What did not get status 200 within the deadline counts with the deadline. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly errorRatio: number;
  /** Requests that failed, by why. */
  readonly failures: Readonly<Record<string, number>>;
  /** The slowest that were answered, the worst first: whose tail it is. */
  readonly slowest: readonly SlowRequest[];
  /** Work given to the node that got most for what it can do, by the mean. 1 is even. */
  readonly workSpread: number;
  /** The same of sessions by speed: the median over time, or the last moment where sessions do not end. */
  readonly sessionSpread?: number;
  /** Requests of sessions that went to another node than the one before. */
  readonly movedRatio?: number;
  readonly join?: JoinFigures;
  /** By how much clients and nodes were late themselves, milliseconds; 99 % less. */
  readonly lateMs: number;
}

export interface SlowRequest {
  readonly dueMs: number;
  readonly latencyMs: number;
  readonly workMs: number;
  readonly node: number;
}

export interface JoinFigures {
  /** From the join until the node carries 90 % of its share of the requests for a while; infinite: not in this pass. */
  readonly t90Ms: number;
  /** Until when that was looked for, milliseconds after the join. */
  readonly watchedMs: number;
  /** The largest part of its share that it had at any time after the join. */
  readonly peakShare: number;
}

const SLOWEST = 10;
const T90_RATIO = 0.9;
/** Over how long a share is taken: less trembles, more hides a flood. */
const SHARE_WINDOW_MS = 4_000;
const SHARE_STEP_MS = 100;
const SESSION_STEP_MS = 250;

export function passFigures(
  scenario: BalanceScenario,
  { warmUpMs, measureMs }: PassLength,
  plan: TrafficPlan,
  report: VisitReport,
  counts: readonly NodeCount[],
): PassFigures {
  const [fromMs, toMs] = [warmUpMs, warmUpMs + measureMs];
  const counted = plan.requests.flatMap(({ dueMs }, i) => (dueMs >= fromMs && dueMs < toMs ? [i] : []));
  const latencies = counted.map((i) => report.latencyMs[i]!).sort((one, other) => one - other);
  const failures: Record<string, number> = {};
  let failed = 0;
  for (const i of counted) {
    if (report.status[i] === 200) continue;
    failed++;
    const why = report.failures[i] ?? `status ${report.status[i]}`;
    failures[why] = (failures[why] ?? 0) + 1;
  }
  const joined = scenario.steps.find(({ does }) => does.kind === 'join');
  const work = counts.map(({ number, workMs }) => ({
    amount: workMs,
    capacity: capacityMs(scenario, number, fromMs, toMs),
  }));
  return {
    requests: counted.length,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    p999Ms: percentile(latencies, 0.999),
    errorRatio: failed / counted.length,
    failures,
    slowest: slowestOf(counted, plan, report),
    workSpread: maxByMean(work),
    ...(plan.visitors.length > 0 && joined === undefined && sessionFigures(scenario, plan, report, fromMs, toMs)),
    ...(joined !== undefined && { join: joinFigures(scenario, joined, plan, report, toMs) }),
    lateMs: report.lateMs,
  };
}

function slowestOf(counted: readonly number[], plan: TrafficPlan, report: VisitReport): readonly SlowRequest[] {
  return counted
    .filter((i) => report.status[i] === 200)
    .sort((one, other) => report.latencyMs[other]! - report.latencyMs[one]!)
    .slice(0, SLOWEST)
    .map((i) => {
      const { dueMs, workMs } = plan.requests[i]!;
      return { dueMs, latencyMs: report.latencyMs[i]!, workMs, node: report.node[i]! };
    });
}

/** The value that `ratio` (0–1) of `sorted` do not exceed; NaN of none. */
export function percentile(sorted: readonly number[], ratio: number): number {
  return sorted[Math.max(0, Math.ceil(ratio * sorted.length) - 1)] ?? Number.NaN;
}

/** The largest amount by capacity, by all amounts by all capacities; who has no capacity is left out. NaN of nothing. */
export function maxByMean(parts: readonly { readonly amount: number; readonly capacity: number }[]): number {
  const able = parts.filter(({ capacity }) => capacity > 0);
  const amount = able.reduce((sum, part) => sum + part.amount, 0);
  const capacity = able.reduce((sum, part) => sum + part.capacity, 0);
  return Math.max(...able.map((part) => part.amount / part.capacity)) / (amount / capacity);
}

/**
 * How a node that joined at `joinedAtMs` came to its share, out of requests by the instant they were due and the node that
 * answered (-1: none). `fairShare`: 0–1.
 */
export function shareAfterJoin(
  requests: readonly { readonly dueMs: number; readonly node: number }[],
  node: number,
  joinedAtMs: number,
  fairShare: number,
  toMs: number,
): JoinFigures {
  const windowMs = Math.min(SHARE_WINDOW_MS, (toMs - joinedAtMs) / 2);
  let [t90Ms, peakShare] = [Number.POSITIVE_INFINITY, 0];
  let [first, last, own] = [0, 0, 0];
  for (let atMs = joinedAtMs; atMs + windowMs <= toMs; atMs += SHARE_STEP_MS) {
    for (; last < requests.length && requests[last]!.dueMs < atMs + windowMs; last++)
      if (requests[last]!.node === node) own++;
    for (; first < last && requests[first]!.dueMs < atMs; first++) if (requests[first]!.node === node) own--;
    if (last === first) continue;
    const share = own / (last - first) / fairShare;
    if (share >= T90_RATIO) t90Ms = Math.min(t90Ms, atMs - joinedAtMs);
    peakShare = Math.max(peakShare, share);
  }
  return { t90Ms, watchedMs: toMs - windowMs - joinedAtMs, peakShare };
}

function joinFigures(
  { speeds }: BalanceScenario,
  { node, atMs }: { readonly node: number; readonly atMs: number },
  { requests }: TrafficPlan,
  report: VisitReport,
  toMs: number,
): JoinFigures {
  const fairShare = speeds[node]! / speeds.reduce((sum, speed) => sum + speed, 0);
  const answered = requests.map(({ dueMs }, i) => ({ dueMs, node: report.node[i]! }));
  return shareAfterJoin(answered, node, atMs, fairShare, toMs);
}

/** Where sessions were: each is on the node that has answered it last, from its first answer to its end. */
function sessionFigures(
  { speeds, shows }: BalanceScenario,
  { requests, visitors }: TrafficPlan,
  report: VisitReport,
  fromMs: number,
  toMs: number,
): { readonly sessionSpread: number; readonly movedRatio: number } {
  const nodeOf = visitors.map(() => -1);
  let [next, asked, moved] = [0, 0, 0];
  const spreads: number[] = [];
  for (let atMs = SESSION_STEP_MS; atMs <= toMs; atMs += SESSION_STEP_MS) {
    for (; next < requests.length && requests[next]!.dueMs < atMs; next++) {
      const { visitor, dueMs } = requests[next]!;
      const node = report.node[next]!;
      if (node < 0) continue;
      const before = nodeOf[visitor]!;
      if (dueMs >= fromMs && before >= 0) {
        asked++;
        if (before !== node) moved++;
      }
      nodeOf[visitor] = node;
    }
    if (atMs < fromMs) continue;
    const sessions = speeds.map(() => 0);
    visitors.forEach((visitor, i) => {
      const node = nodeOf[i]!;
      if (node >= 0 && visitor.toMs >= atMs) sessions[node]!++;
    });
    spreads.push(maxByMean(sessions.map((amount, node) => ({ amount, capacity: speeds[node]! }))));
  }
  const sessionSpread =
    shows === 'logins'
      ? spreads.at(-1)
      : percentile(
          spreads.sort((one, other) => one - other),
          0.5,
        );
  return { sessionSpread: sessionSpread ?? Number.NaN, movedRatio: asked === 0 ? 0 : moved / asked };
}
