/** Every request of a pass, made beforehand from a seed: when it is due, how much work it is, and whose. */
import { boundedPareto, type Draw, exponential, lognormal, seededDraw } from '../numbers/draws.ts';
import { WORK_MS, WORK_VARIATION } from './scenario.ts';

export type Traffic =
  /** Users who know nothing of each other, and no sessions. */
  | { readonly kind: 'requests'; readonly perSecond: number }
  /**
   * `sessions` at any time, each for `lifeMs` on average; `perSecond` requests of all together, the one that begins each
   * session counted in. Uneven: some are up to a hundred times as busy as others.
   */
  | {
      readonly kind: 'sessions';
      readonly perSecond: number;
      readonly sessions: number;
      readonly lifeMs: number;
      readonly isUneven: boolean;
    }
  /** Sessions that begin one by one, do not end, and ask `perSecond` each. */
  | { readonly kind: 'logins'; readonly loginsPerSecond: number; readonly perSecond: number };

/** One that has a session; ends with the traffic at the latest. */
export interface Visitor {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface PlannedRequest {
  readonly dueMs: number;
  /** Milliseconds at speed 1. */
  readonly workMs: number;
  /** Number of the visitor; -1 without a session. */
  readonly visitor: number;
}

export interface TrafficPlan {
  /** By time. */
  readonly requests: readonly PlannedRequest[];
  readonly visitors: readonly Visitor[];
}

/** Activity of sessions: many that hardly do anything, and a few that do most. */
const PARETO_SHAPE = 1.3;
const PARETO_SPAN = 100;
/** Sessions that are there from the beginning log in within this part of the warm-up. */
const FIRST_LOGINS = 0.6;

/** All traffic until `endMs`; one seed gives one plan. */
export function planTraffic(traffic: Traffic, warmUpMs: number, endMs: number, seed: number): TrafficPlan {
  // A stream for each kind of chance: another rate draws the same work.
  const [arrivals, work] = [seededDraw(seed), seededDraw(seed + 1)] as const;
  const visitors: Visitor[] = [];
  const due: { readonly dueMs: number; readonly visitor: number }[] = [];
  if (traffic.kind === 'requests')
    for (const dueMs of instants(arrivals, 0, endMs, traffic.perSecond)) due.push({ dueMs, visitor: -1 });
  else
    for (const { fromMs, toMs, perSecond } of sessionsOf(traffic, arrivals, warmUpMs, endMs)) {
      const visitor = visitors.length;
      visitors.push({ fromMs, toMs });
      due.push({ dueMs: fromMs, visitor });
      for (const dueMs of instants(arrivals, fromMs, toMs, perSecond)) due.push({ dueMs, visitor });
    }
  due.sort((one, other) => one.dueMs - other.dueMs);
  const requests = due.map((request) => ({ ...request, workMs: lognormal(work, WORK_MS, WORK_VARIATION) }));
  return { requests, visitors };
}

interface Session extends Visitor {
  readonly perSecond: number;
}

function sessionsOf(
  traffic: Exclude<Traffic, { kind: 'requests' }>,
  draw: Draw,
  warmUpMs: number,
  endMs: number,
): readonly Session[] {
  if (traffic.kind === 'logins')
    return instants(draw, 0, endMs, traffic.loginsPerSecond).map((fromMs) => ({
      fromMs,
      toMs: endMs,
      perSecond: traffic.perSecond,
    }));
  const { sessions, lifeMs, perSecond, isUneven } = traffic;
  const loginsPerSecond = (sessions / lifeMs) * 1_000;
  const mean = Math.max(0, (perSecond - loginsPerSecond) / sessions);
  const first = Array.from({ length: sessions }, () => draw() * FIRST_LOGINS * warmUpMs);
  return [...first, ...instants(draw, 0, endMs, loginsPerSecond)].map((fromMs) => ({
    fromMs,
    toMs: Math.min(endMs, fromMs + exponential(draw, lifeMs)),
    perSecond: isUneven ? boundedPareto(draw, mean, PARETO_SHAPE, PARETO_SPAN) : mean,
  }));
}

/** Random instants between two, at a mean rate. */
function instants(draw: Draw, fromMs: number, toMs: number, perSecond: number): readonly number[] {
  const found: number[] = [];
  if (!(perSecond > 0)) return found;
  for (let atMs = fromMs; ; ) {
    atMs += exponential(draw, 1_000 / perSecond);
    if (atMs >= toMs) return found;
    found.push(atMs);
  }
}
