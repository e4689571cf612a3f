/** What a write that takes nodes from new work does to its sessions and to the other nodes, for its dry run. */
import { LATENCY_BOUNDS_MS, latencyQuantileMs } from '@rollcall/feed';
import { type BalancerName, durationText, type NodeId, sessionsText, type WritePreview } from '@rollcall/protocol';
import type { Disruption } from '../../liveness/eligible-left.ts';
import { outlook } from '../../preview/outlook.ts';
import type { Queue } from '../../preview/queue.ts';
import { effectiveStatus, isStandby, type NodeView, takesNew } from '../node/node-record.ts';
import type { RegistryState } from '../registry-state.ts';
import { FADE_MS } from '../workers/node-outcomes.ts';
import { brokenBudgets } from './unserved-contexts.ts';

/** Nodes that are named. */
const MAX_CARRIERS = 20;
/** With fewer requests per second at the other nodes rates and latencies are chance. */
const MIN_PER_SECOND = 1;
/** Above this utilisation nodes are called saturated. */
const SATURATED = 0.95;

/** What becomes of the sessions of the nodes: they stay until they end, at most for a deadline; or they move at once. */
export interface SessionsEnd {
  readonly kind: 'stay' | 'move';
  readonly deadlineMs?: number | undefined;
}

/** Of several balancers the one whose other nodes are the busiest afterwards. `undefined` if the change takes no present node. */
export function disruptionPreview(
  state: RegistryState,
  { lost }: Disruption,
  end: SessionsEnd,
): WritePreview | undefined {
  const balancers = new Map<BalancerName, NodeView[]>();
  for (const id of lost) {
    const node = state.nodes.get(id);
    if (node === undefined || node.liveness === 'gone') continue;
    const { balancer } = node.registration;
    const nodes = balancers.get(balancer) ?? [];
    balancers.set(balancer, nodes);
    nodes.push(node);
  }
  let worst: WritePreview | undefined;
  for (const [balancer, nodes] of balancers) {
    const preview = previewOf(state, balancer, { lost, nodes, end, isOne: balancers.size === 1 });
    if (worst === undefined || busyness(preview) > busyness(worst)) worst = preview;
  }
  return worst;
}

function previewOf(
  state: RegistryState,
  balancer: BalancerName,
  change: {
    readonly lost: ReadonlySet<NodeId>;
    readonly nodes: readonly NodeView[];
    readonly end: SessionsEnd;
    readonly isOne: boolean;
  },
): WritePreview {
  const { lost, nodes, end, isOne } = change;
  let [sessions, sessionsSeenOnce] = [0, 0];
  for (const node of nodes) {
    const numbers = state.sessionsOf(node);
    sessions += numbers.sessions;
    sessionsSeenOnce += numbers.sessionsSeenOnce;
  }
  const carriers = [...state.nodes.inBalancer(balancer)].filter(
    (node) => !lost.has(node.id) && carriesNew(state, node),
  );
  const forecast = forecastOf(state, balancer, nodes, carriers);
  const [broken] = brokenBudgets(state, { lost }).filter((budget) => budget.balancer === balancer);
  const isSaturated = typeof forecast === 'object' && forecast.after.utilisation >= SATURATED;
  const where = isOne ? '' : `balancer ${balancer}: `;
  const stay = sessions + sessionsSeenOnce === 0 ? '' : `${sessionsSentence(sessions, sessionsSeenOnce, end)}; `;
  return {
    sessions,
    sessionsSeenOnce,
    carriedBy: carriers
      .map(({ id }) => id)
      .sort()
      .slice(0, MAX_CARRIERS),
    ...(typeof forecast === 'object' && forecast),
    ...(isSaturated && { isSaturated: true }),
    ...(broken && { budget: { minEligible: broken.minEligible, eligible: broken.after } }),
    sentence: `${where}${stay}${typeof forecast === 'string' ? forecast : forecastSentence(forecast, carriers.length, isSaturated)}`,
  };
}

type Forecast = Required<Pick<WritePreview, 'before' | 'after'>>;

/** A sentence instead if there is no basis for an estimate. */
function forecastOf(
  state: RegistryState,
  balancer: BalancerName,
  nodes: readonly NodeView[],
  carriers: readonly NodeView[],
): Forecast | string {
  if (carriers.length === 0) return 'no other node takes its work';
  const rates = carriers.map(({ id }) => perSecondOf(state, id));
  const lostPerSecond = nodes.reduce((sum, { id }) => sum + perSecondOf(state, id), 0);
  const total = rates.reduce((sum, rate) => sum + rate, 0);
  if (total < MIN_PER_SECOND) return 'too few requests come to estimate the load of the other nodes';
  const staying = queuesOf(carriers, rates);
  if (staying === undefined) return 'the other nodes report no load, so their use afterwards is not known';
  const isBound = state.balancer(balancer).inForce().sticky.mode !== 'none';
  const measuredP99Ms = latencyQuantileMs(latenciesOf(state, carriers), 0.99);
  const { before, after } = outlook({ staying, lostPerSecond, isBound, measuredP99Ms });
  return { before: rounded(before), after: rounded(after) };
}

/**
 * The nodes as queues: the busy part of the time as the node reports it, or else from its reported service time. A node without either is
 * like the others; `undefined` if all are without.
 */
function queuesOf(nodes: readonly NodeView[], rates: readonly number[]): Queue[] | undefined {
  const known = nodes.map((node, i) => serviceMsOf(node, rates[i]!));
  const told = known.filter((serviceMs) => serviceMs !== undefined).sort((one, other) => one - other);
  const typical = told[told.length >> 1];
  if (typical === undefined) return undefined;
  return nodes.map((node, i) => ({
    perSecond: rates[i]!,
    serviceMs: known[i] ?? typical,
    servers: serversOf(node),
  }));
}

/** Busy time of one server per request, milliseconds, above 0. */
function serviceMsOf(node: NodeView, perSecond: number): number | undefined {
  const load = node.history.load.mean;
  if (load !== undefined && load > 0 && perSecond > 0) return (load * serversOf(node) * 1_000) / perSecond;
  return node.serviceMs !== undefined && node.serviceMs > 0 ? node.serviceMs : undefined;
}

function serversOf({ registration: { cores = 1 } }: NodeView): number {
  return Math.max(1, Math.round(cores));
}

function perSecondOf(state: RegistryState, id: NodeId): number {
  return state.outcomes.recent(id, state.nowMs).requests / (FADE_MS / 1_000);
}

function latenciesOf(state: RegistryState, nodes: readonly NodeView[]): number[] {
  const sum = new Array<number>(LATENCY_BOUNDS_MS.length + 1).fill(0);
  for (const { id } of nodes)
    for (const [i, count] of state.outcomes.latencies(id, state.nowMs).entries()) sum[i]! += count;
  return sum;
}

/** It gets new sessions, as far as the registry knows. */
function carriesNew(state: RegistryState, node: NodeView): boolean {
  return (
    node.liveness === 'up' &&
    effectiveStatus(node) === 'enabled' &&
    takesNew(node) &&
    !isStandby(node) &&
    !state.ports.isGivenUp(node.id)
  );
}

function busyness({ after }: WritePreview): number {
  return after?.utilisation ?? -1;
}

/** Whole percent, and two digits of a latency: more would promise too much. */
function rounded({ utilisation, p99Ms }: { readonly utilisation: number; readonly p99Ms?: number }): Forecast['after'] {
  return {
    utilisation: Math.round(utilisation * 100) / 100,
    ...(p99Ms !== undefined && { p99Ms: Number(p99Ms.toPrecision(2)) }),
  };
}

function sessionsSentence(sessions: number, sessionsSeenOnce: number, { kind, deadlineMs }: SessionsEnd): string {
  const text = sessionsText(sessions, sessionsSeenOnce);
  const isOne = sessions + sessionsSeenOnce === 1;
  if (kind === 'move') return `${text} ${isOne ? 'moves' : 'move'} to other nodes`;
  const most = deadlineMs === undefined ? '' : `, at most ${durationText(deadlineMs)}`;
  return `${text} ${isOne ? 'stays until it ends' : 'stay until they end'}${most}`;
}

function forecastSentence({ before, after }: Forecast, carriers: number, isSaturated: boolean): string {
  const who = carriers === 1 ? 'the other node goes' : `the other ${carriers} nodes go`;
  const use = `${who} from ${percent(before.utilisation)} to ${percent(after.utilisation)} busy`;
  if (isSaturated) return `${use}: they cannot do this work`;
  const now = before.p99Ms === undefined ? '' : `, now ${before.p99Ms} ms`;
  return after.p99Ms === undefined ? use : `${use}, p99 about ${after.p99Ms} ms${now}`;
}

function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}
