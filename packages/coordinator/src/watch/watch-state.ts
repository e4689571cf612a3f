/** The state that `GET /v1/watch` sends, and the difference of two states for the viewers of a query. Pure. */
import type {
  BalancerRow,
  ClusterProblem,
  MergePatch,
  NodeRow,
  ProblemKind,
  Rates,
  Verdict,
  WatchDelta,
  WatchSnapshot,
} from '@rollcall/protocol';
import { mergePatchOf } from '@rollcall/protocol';
import { shownFigure } from './shown-figures.ts';

export interface WatchState {
  readonly atUnixMs: number;
  readonly verdict: Verdict;
  readonly totals: Rates;
  readonly balancers: ReadonlyMap<string, BalancerRow>;
  readonly nodes: ReadonlyMap<string, NodeRow>;
}

/** What a stream sends as a snapshot, without the part on the coordinator. */
export type WatchBody = Omit<WatchSnapshot, 'coordinator'>;

/** Whether a viewer sees the node. It depends on the row and its id only. */
export type NodeChoice = (id: string, row: NodeRow) => boolean;

export function bodyOf({ balancers, nodes, ...rest }: WatchState, choice: NodeChoice): WatchBody {
  return {
    ...rest,
    balancers: Object.fromEntries(balancers),
    nodes: Object.fromEntries([...nodes].filter(([id, row]) => choice(id, row))),
  };
}

/** The differences of two states, made once for all queries. */
export interface StateDifference {
  readonly before: WatchState;
  readonly after: WatchState;
  readonly common: Pick<WatchDelta, 'verdict' | 'totals' | 'balancers'>;
  /** Nodes that are new, changed or removed (`null`), by id. */
  readonly nodes: ReadonlyMap<string, MergePatch<NodeRow> | null>;
}

export function differenceOf(before: WatchState, after: WatchState): StateDifference {
  const verdict = before.verdict === after.verdict ? undefined : mergePatchOf(before.verdict, after.verdict);
  const totals = mergePatchOf(before.totals, after.totals);
  const balancers = rowChanges(before.balancers, after.balancers);
  return {
    before,
    after,
    common: {
      ...(verdict !== undefined && { verdict }),
      ...(totals !== undefined && { totals }),
      ...(balancers.size > 0 && { balancers: Object.fromEntries(balancers) }),
    },
    nodes: rowChanges(before.nodes, after.nodes),
  };
}

/** The merge patch for the viewers of `choice`; `undefined` if nothing has changed for them. */
export function deltaOf({ before, after, common, nodes }: StateDifference, choice: NodeChoice): WatchDelta | undefined {
  const changes: [id: string, change: MergePatch<NodeRow> | null][] = [];
  for (const [id, change] of nodes) {
    const [old, now] = [before.nodes.get(id), after.nodes.get(id)];
    const wasSeen = old !== undefined && choice(id, old);
    const isSeen = now !== undefined && choice(id, now);
    if (isSeen) changes.push([id, wasSeen ? change : now]);
    else if (wasSeen) changes.push([id, null]);
  }
  if (changes.length === 0 && Object.keys(common).length === 0) return undefined;
  return {
    atUnixMs: after.atUnixMs,
    ...common,
    ...(changes.length > 0 && { nodes: Object.fromEntries(changes) }),
  };
}

function rowChanges<Row extends object>(
  before: ReadonlyMap<string, Row>,
  after: ReadonlyMap<string, Row>,
): Map<string, MergePatch<Row> | null> {
  const changes = new Map<string, MergePatch<Row> | null>();
  for (const [name, row] of after) {
    const old = before.get(name);
    const change = old === undefined ? (row as MergePatch<Row>) : mergePatchOf(old, row);
    if (change !== undefined) changes.set(name, change);
  }
  for (const name of before.keys()) if (!after.has(name)) changes.set(name, null);
  return changes;
}

/** `rates` as they are shown after `before`. */
export function shownRates(rates: Rates, before: Rates | undefined): Rates {
  const { requestsPerSecond, errorsPerSecond, failuresPerSecond, retriesPerSecond, p50Ms, p99Ms } = rates;
  return {
    requestsPerSecond: shownFigure(requestsPerSecond, before?.requestsPerSecond),
    errorsPerSecond: shownFigure(errorsPerSecond, before?.errorsPerSecond),
    failuresPerSecond: shownFigure(failuresPerSecond, before?.failuresPerSecond),
    ...(retriesPerSecond !== undefined && {
      retriesPerSecond: shownFigure(retriesPerSecond, before?.retriesPerSecond),
    }),
    ...(p50Ms !== undefined && { p50Ms: shownFigure(p50Ms, before?.p50Ms) }),
    ...(p99Ms !== undefined && { p99Ms: shownFigure(p99Ms, before?.p99Ms) }),
  };
}

/** The kinds of the problems that name each node, in the order of the verdict. */
export function kindsByNode(problems: readonly ClusterProblem[]): ReadonlyMap<string, readonly ProblemKind[]> {
  const kinds = new Map<string, ProblemKind[]>();
  for (const { kind, nodes = [] } of problems)
    for (const id of nodes) {
      const known = kinds.get(id);
      if (known === undefined) kinds.set(id, [kind]);
      else if (!known.includes(kind)) known.push(kind);
    }
  return kinds;
}

/** Text that identifies a verdict without the numbers of its texts: two verdicts with one key differ in these numbers only. */
export function verdictKey({ level, more, problems }: Verdict, up: number): string {
  return JSON.stringify([up, level, more, problems.map((one) => [one.kind, one.level, one.balancer, one.nodes])]);
}
