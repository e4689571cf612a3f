/** Judges a drill of two coordinators: the promise is that a fault costs no request, no session, and no request of an operator. */
import { judge } from '../judge.ts';
import type { Exchange } from '../ledger.ts';
import { complaints } from '../scenario.ts';

/** Longest time from healing until both coordinators show the same. */
const EQUAL_WITHIN_MS = 5_000;
/** Longest time from healing until all nodes are up at both: agents connect again after at most 10 s. */
const SETTLED_WITHIN_MS = 15_000;

/** A proxy whose machine was killed. */
export interface KilledProxy {
  readonly port: number;
  readonly beganMs: number;
  readonly inForceMs: number;
}

export interface DrillLedger {
  readonly exchanges: readonly Exchange[];
  /** The largest delay of a request against its schedule. Above 1,000 the machine was too busy. */
  readonly lateMs: number;
  readonly killed: readonly KilledProxy[];
  /** Nodes that an operator has drained with a deadline: their sessions may move. */
  readonly drained: readonly string[];
  /** From healing until both views are equal; `undefined` when they never were. */
  readonly equalAfterMs: number | undefined;
  /** From healing until all nodes are up at both and the store is shared; `undefined` when it never was so. */
  readonly settledAfterMs: number | undefined;
  /** What else was wrong, one sentence each. */
  readonly broken: readonly string[];
}

/** One line of the table. */
export interface DrillVerdict {
  readonly requests: number;
  readonly failedGets: number;
  readonly failedPosts: number;
  /** Requests in flight at a proxy whose machine was killed. */
  readonly excused: number;
  /** Answers of a process that had no state of the session. */
  readonly lost: number;
  /** Sessions that changed their node. */
  readonly moved: number;
  readonly equalAfterMs: number | undefined;
  readonly settledAfterMs: number | undefined;
  readonly lateMs: number;
  /** Empty when the promise was kept. */
  readonly complaints: readonly string[];
}

export function judgeDrill({
  exchanges,
  lateMs,
  killed,
  drained,
  equalAfterMs,
  settledAfterMs,
  broken,
}: DrillLedger): DrillVerdict {
  const counted = exchanges.filter((exchange) => !isExcused(exchange, killed));
  // No node fails in these drills, so that nothing is excused by the judge of nodes.
  const ofDrained = new Set(
    counted.filter(({ answer }) => answer && drained.includes(answer.node)).map(({ session }) => session),
  );
  const judged = counted.filter(({ session, error }) => error !== undefined || !ofDrained.has(session));
  const verdict = judge({ exchanges: judged, faultMs: 0, inForceMs: 0, outages: [], broken }, 0);
  const found = complaints({ failed: 0, lost: 'none', splits: 0 }, verdict);
  found.push(...twoInstances(exchanges));
  if (equalAfterMs === undefined) found.push('the views of the coordinators were never equal');
  else if (equalAfterMs > EQUAL_WITHIN_MS)
    found.push(`the views were equal ${Math.round(equalAfterMs)} ms after healing`);
  if (settledAfterMs === undefined || settledAfterMs > SETTLED_WITHIN_MS)
    found.push(
      `the cluster had recovered ${settledAfterMs === undefined ? 'not at all' : `${Math.round(settledAfterMs)} ms`} after healing`,
    );
  return {
    requests: exchanges.length,
    failedGets: verdict.failedGets.length,
    failedPosts: verdict.failedPosts.length,
    excused: exchanges.length - counted.length,
    lost: verdict.losses,
    moved: movedSessions(counted),
    equalAfterMs,
    settledAfterMs,
    lateMs,
    complaints: found,
  };
}

/** A request that was in flight at a proxy when its machine was killed. */
function isExcused({ port, arrivedMs, endMs, error, status }: Exchange, killed: readonly KilledProxy[]): boolean {
  if (error === undefined || status !== undefined) return false;
  return killed.some((proxy) => proxy.port === port && arrivedMs < proxy.inForceMs && endMs >= proxy.beganMs);
}

/** A proxy that sends to an instance again after another instance of the same node has answered. */
function twoInstances(exchanges: readonly Exchange[]): string[] {
  const found = new Set<string>();
  const byPlace = new Map<string, { current: string; sinceMs: number; readonly earlier: Set<string> }>();
  const answered = exchanges.filter(({ answer }) => answer !== undefined);
  for (const { port, answer, arrivedMs, endMs } of answered.toSorted((a, b) => a.arrivedMs - b.arrivedMs)) {
    const { node, instance } = answer!;
    const place = `${node} through port ${port}`;
    const seen = byPlace.get(place);
    if (seen === undefined) byPlace.set(place, { current: instance, sinceMs: endMs, earlier: new Set() });
    else if (seen.current !== instance) {
      if (!seen.earlier.has(instance)) {
        seen.earlier.add(seen.current);
        Object.assign(seen, { current: instance, sinceMs: endMs });
      } else if (arrivedMs > seen.sinceMs) found.add(`two instances of ${place} got requests`);
    }
  }
  return [...found];
}

function movedSessions(exchanges: readonly Exchange[]): number {
  const nodes = new Map<string, Set<string>>();
  for (const { session, answer } of exchanges)
    if (answer !== undefined) nodes.set(session, (nodes.get(session) ?? new Set()).add(answer.node));
  return [...nodes.values()].filter(({ size }) => size > 1).length;
}
