/** What is wrong with nodes: missing, failing, slow, and requests of operators that are overdue or forgotten. */
import type { BalancerName, ClusterProblem, NodeId } from '@rollcall/protocol';
import { compactDuration, inSeconds, MAX_PROBLEM_NODES, sessionsText } from '@rollcall/protocol';
import type { NodeView } from '../node/node-record.ts';
import { effectiveStatus, isMissing, isStandby } from '../node/node-record.ts';
import type { RegistryState } from '../registry-state.ts';
import { type EjectionView, errorRatio, type RecentOutcomes } from '../workers/node-outcomes.ts';
import { inWords } from './node-resource.ts';
import { type Now, toUnixMs } from './now.ts';

/** Smallest weighted number of requests, of about the last 30 seconds, at which errors and latencies are judged. */
const MIN_REQUESTS = 5;
/** Smallest ratio of errors that is a problem. */
const ERROR_RATIO = 0.05;
/** A node stands out by errors if the others have at most this part of its ratio. */
const OTHERS_PART = 0.5;
/** Times the median latency of the others, and milliseconds, from which a node is slow. */
const SLOW_RATIO = 5;
const SLOW_MS = 250;
/** A request of an operator without an end is forgotten after this time, milliseconds. */
const FORGOTTEN_MS = 3_600_000;
/** An ejection within this time is part of a problem, milliseconds. */
const LATELY_MS = 60_000;
/** Nodes named in a sentence. */
const MAX_NAMED = 3;

/** Problems of the nodes of all balancers, in no order. */
export function nodeProblems(state: RegistryState, now: Now): ClusterProblem[] {
  const problems: ClusterProblem[] = [];
  for (const balancer of state.balancers.keys()) {
    const nodes = [...state.nodes.inBalancer(balancer)];
    problems.push(
      ...missingNodes(state, balancer, nodes, now),
      ...failingNodes(state, balancer, nodes, now),
      ...slowNodes(state, balancer, nodes, now),
    );
    for (const node of nodes) problems.push(...requestProblems(state, node, now));
  }
  return problems;
}

function missingNodes(
  state: RegistryState,
  balancer: BalancerName,
  nodes: readonly NodeView[],
  now: Now,
): readonly ClusterProblem[] {
  const missing = nodes.filter((node) => isMissing(node) && node.acknowledged === undefined);
  const [first] = missing;
  if (first === undefined) return [];
  const up = nodes.filter(({ id, liveness }) => liveness === 'up' && !state.ports.isGivenUp(id)).length;
  const is = missing.length === 1 ? 'is' : 'are';
  const why = missing.length === 1 ? `, ${inWords(first, first.goneCause!, now.nowMs)}` : '';
  return [
    {
      kind: 'missing',
      level: 'harm',
      balancer,
      nodes: idsOf(missing),
      message: `${subject(missing)} of balancer ${balancer} ${is} missing${why}`,
      effect:
        up === 0
          ? 'no node of it is up'
          : `sessions on ${missing.length === 1 ? 'it' : 'them'} moved without their state, ${up} of ${up + missing.length} nodes ${up === 1 ? 'is' : 'are'} up`,
      remedy: `start ${missing.length === 1 ? 'its program' : 'their programs'} again, or: rollcall acknowledge ${missing.length === 1 ? first.id : `--balancer ${balancer}`}`,
      sinceUnixMs: toUnixMs(Math.min(...missing.map(({ goneAtMs }) => goneAtMs!)), now),
    },
  ];
}

function failingNodes(
  state: RegistryState,
  balancer: BalancerName,
  nodes: readonly NodeView[],
  now: Now,
): readonly ClusterProblem[] {
  const { nowMs } = now;
  const seen = nodes.filter(isServing).map((node) => ({ node, recent: state.outcomes.recent(node.id, nowMs) }));
  const total = seen.reduce((sum, { recent }) => sumOf(sum, recent), NO_REQUESTS);
  const standingOut = seen.flatMap(({ node, recent }) => {
    const others = sumOf(total, recent, -1);
    const isAlone = isFailing(recent) && errorRatio(others) <= OTHERS_PART * errorRatio(recent);
    return isAlone ? [failingNode(state, node, recent, others, now)] : [];
  });
  if (standingOut.length > 0) return standingOut;
  if (!isFailing(total)) return [];
  return [
    {
      kind: 'errors',
      level: 'harm',
      balancer,
      message: `balancer ${balancer} answers ${percent(errorRatio(total))} of its requests with errors, its nodes alike`,
      effect: `visitors of ${balancer} get these errors`,
      remedy: 'see the logs of the programs, and what all of them need, such as a database',
    },
  ];
}

function failingNode(
  state: RegistryState,
  { id, registration: { balancer } }: NodeView,
  recent: RecentOutcomes,
  others: RecentOutcomes,
  now: Now,
): ClusterProblem {
  const ejection = lateEjection(state, id, now);
  const beside = others.requests >= 1 ? `, the other nodes ${percent(errorRatio(others))}` : '';
  const times = ejection !== undefined && ejection.count > 1 ? `, ejected ${ejection.count} times in 10 minutes` : '';
  return {
    kind: 'errors',
    level: 'harm',
    balancer,
    nodes: [id],
    message: `node ${id} of balancer ${balancer} answers ${percent(errorRatio(recent))} of its requests with errors${beside}${times}`,
    effect: ejection
      ? 'new sessions go to other nodes, and its sessions get the errors'
      : 'its visitors get the errors',
    remedy: `see the log of its program; to take it out: rollcall drain ${id}`,
    ...(ejection && { sinceUnixMs: toUnixMs(ejection.sinceMs, now) }),
  };
}

function slowNodes(
  state: RegistryState,
  balancer: BalancerName,
  nodes: readonly NodeView[],
  now: Now,
): readonly ClusterProblem[] {
  const { nowMs } = now;
  const seen = nodes
    .filter((node) => isServing(node) && state.outcomes.recent(node.id, nowMs).requests >= 1)
    .map((node) => ({ node, latencyMs: state.workers.latencyMs(node.id) }))
    .filter(({ latencyMs }) => latencyMs >= 0)
    .sort((one, other) => one.latencyMs - other.latencyMs);
  // Of two the lower one: a node must not be measured by itself.
  const typicalMs = seen[(seen.length - 1) >> 1]?.latencyMs;
  if (typicalMs === undefined || seen.length < 2) return [];
  return seen
    .filter(({ latencyMs }) => latencyMs > Math.max(SLOW_MS, SLOW_RATIO * typicalMs))
    .map(({ node: { id }, latencyMs }): ClusterProblem => {
      const ejection = lateEjection(state, id, now);
      return {
        kind: 'slow',
        level: 'harm',
        balancer,
        nodes: [id],
        message: `node ${id} of balancer ${balancer} takes ${Math.round(latencyMs)} ms for an answer, the other nodes about ${typicalMs.toFixed(typicalMs < 10 ? 1 : 0)} ms`,
        effect: ejection ? 'new sessions go to other nodes, and its sessions wait' : 'its visitors wait',
        remedy: `see the log of its program and the load of its machine; to take it out: rollcall drain ${id}`,
        ...(ejection && { sinceUnixMs: toUnixMs(ejection.sinceMs, now) }),
      };
    });
}

/** A drain in progress, one that has ended with sessions left, and requests that no operator has ended. */
function requestProblems(state: RegistryState, node: NodeView, now: Now): readonly ClusterProblem[] {
  const { id, operatorStatus, operatorDrain, overrides, liveness, registration } = node;
  const { balancer } = registration;
  if (liveness === 'gone' || liveness === 'joining') return [];
  const about = { balancer, nodes: [id] } as const;
  const problems: ClusterProblem[] = [];
  const { status, atMs, by, reason, deadlineAtMs, untilMs } = operatorStatus;
  const why = `${by === undefined ? '' : ` by ${by}`}${reason === undefined || reason === '' ? '' : ` (${reason})`}`;
  const left = state.sessionsOf(node);
  const isDrained = operatorDrain?.isDone === true;
  if (status === 'draining' && isDrained && left.sessions > 0 && deadlineAtMs !== undefined)
    problems.push({
      ...about,
      kind: 'drain-overdue',
      level: 'risk',
      message: `the drain of node ${id}${why} is over its deadline with ${sessionsText(left.sessions, left.sessionsSeenOnce)} left`,
      effect: 'they end when its program is stopped',
      remedy: `extend it: rollcall drain ${id} --deadline 15m; end it: rollcall enable ${id}, or stop the program`,
      sinceUnixMs: toUnixMs(deadlineAtMs, now),
    });
  else if (status !== 'enabled' && untilMs === undefined && now.nowMs - atMs >= FORGOTTEN_MS)
    problems.push({
      ...about,
      kind: 'forgotten-request',
      level: 'risk',
      message: `node ${id} of balancer ${balancer} is ${status}${why} for ${compactDuration(now.nowMs - atMs)}`,
      effect: 'it gets no new sessions',
      remedy: `rollcall enable ${id}`,
      sinceUnixMs: toUnixMs(atMs, now),
    });
  else if (status === 'draining' && effectiveStatus(node) === 'draining')
    problems.push({
      ...about,
      kind: 'draining',
      level: 'planned',
      message: isDrained
        ? `node ${id} of balancer ${balancer} is drained${why}: its program can be stopped`
        : `node ${id} of balancer ${balancer} is draining${why}: ${sessionsText(left.sessions, left.sessionsSeenOnce)} left${deadlineAtMs === undefined ? '' : `, at most ${inSeconds(Math.max(0, deadlineAtMs - now.nowMs))} more`}`,
      sinceUnixMs: toUnixMs(atMs, now),
    });
  if (overrides.redirectTo !== undefined)
    problems.push({
      ...about,
      kind: 'override',
      level: 'planned',
      message: `node ${id} of balancer ${balancer} redirects its sessions to ${overrides.redirectTo}`,
      remedy: `rollcall redirect ${id} --off`,
    });
  if (overrides.standby === true && isStandby(node))
    problems.push({
      ...about,
      kind: 'override',
      level: 'planned',
      message: `node ${id} of balancer ${balancer} is a standby by request of an operator`,
    });
  return problems;
}

/** A node that gets requests, so that its answers count. */
function isServing({ liveness }: NodeView): boolean {
  return liveness === 'up' || liveness === 'suspect';
}

function isFailing(recent: RecentOutcomes): boolean {
  return recent.requests >= MIN_REQUESTS && errorRatio(recent) >= ERROR_RATIO;
}

const NO_REQUESTS: RecentOutcomes = { requests: 0, errors: 0 };

/** `one` with `other` added, or taken out. */
function sumOf(one: RecentOutcomes, other: RecentOutcomes, sign: 1 | -1 = 1): RecentOutcomes {
  return { requests: one.requests + sign * other.requests, errors: one.errors + sign * other.errors };
}

/** The ejection of a node that is part of a problem now. */
function lateEjection(state: RegistryState, id: NodeId, { nowMs }: Now): EjectionView | undefined {
  const ejection = state.outcomes.ejection(id, nowMs);
  return ejection !== undefined && nowMs - ejection.lastMs < LATELY_MS ? ejection : undefined;
}

function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}

function idsOf(nodes: readonly NodeView[]): NodeId[] {
  return nodes.slice(0, MAX_PROBLEM_NODES).map(({ id }) => id);
}

/** `node a`, or `4 nodes (a, b, c and 1 more)`. */
function subject(nodes: readonly NodeView[]): string {
  const names = nodes.slice(0, MAX_NAMED).map(({ id }) => id);
  if (nodes.length === 1) return `node ${names[0]}`;
  const more = nodes.length - names.length;
  return `${nodes.length} nodes (${names.join(', ')}${more > 0 ? ` and ${more} more` : ''})`;
}
