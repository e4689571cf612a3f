/**
 * Explains a node's load factor and traffic share: numbers side by side, and sentences. It names only causes that are known
 * to move traffic. The workers explain the scores of one request.
 */
import type { ExplainedMetric, ExplainedShare, NodeExplanation, NodeId } from '@rollcall/protocol';
import { inSeconds, READY_LATE_MS } from '@rollcall/protocol';
import {
  effectiveStatus,
  isStandby,
  type NodeView,
  type RequestedStatus,
  takesNew,
  weightOf,
} from '../node/node-record.ts';
import { sessionNumbers } from '../node/session-numbers.ts';
import type { RegistryState } from '../registry-state.ts';
import { type EjectionView, errorRatio, type RecentOutcomes } from '../workers/node-outcomes.ts';
import { FADE_MS } from '../workers/traffic.ts';
import { explainedMetrics } from './explained-metrics.ts';
import { factorOf, inWords } from './node-resource.ts';
import type { Now } from './now.ts';

/** The algorithms ramp a joining node up for about this time, milliseconds. */
const JOINING_MS = 20_000;
/** A share that differs from the fair one by less than this ratio needs no reason. */
const ORDINARY = 0.2;
/** With fewer requests a second, or sessions, in the whole balancer shares are chance. */
const FEW = 5;
/** Smallest ratio of errors that is a reason. */
const ERRORS = 0.01;

/** A node with the numbers that are compared with the other nodes of its balancer. */
interface Compared {
  readonly node: NodeView;
  readonly perSecond: number;
  readonly sessions: number;
  readonly sessionsSeenOnce: number;
  readonly isTaking: boolean;
  /** Answers of the last half minute or so. */
  readonly recent: RecentOutcomes;
  /** The last ejection within ten minutes. */
  readonly ejection: EjectionView | undefined;
}

export function explainNode(state: RegistryState, id: NodeId, now: Now): NodeExplanation | undefined {
  const node = state.nodes.get(id);
  if (node === undefined) return undefined;
  const { balancer } = node.registration;
  const all = [...state.nodes.inBalancer(balancer)]
    .filter((other) => other === node || other.liveness !== 'gone')
    .map((other) => compared(state, other, now.nowMs));
  const own = all.find((other) => other.node === node)!;
  const fairShare = own.isTaking
    ? weightOf(node) / sumOf(all, (other) => (other.isTaking ? weightOf(other.node) : 0))
    : 0;
  const requests = shareOf(
    own.perSecond,
    sumOf(all, ({ perSecond }) => perSecond),
    fairShare,
  );
  const sessions = shareOf(
    own.sessions,
    sumOf(all, (other) => other.sessions),
    fairShare,
  );
  const metrics = explainedMetrics(node);
  const factor = factorOf(node);
  const meanLoad = node.history.load.mean;
  return {
    id,
    balancer,
    because:
      node.liveness === 'gone'
        ? absence(node, now)
        : [
            ...standing(state, node, now),
            ...troubles(own, all, now),
            ...loadSentences(node, metrics, factor.loadFactor),
            ...shareSentences(own, all, { requests, sessions }),
          ],
    ...(node.load !== undefined && { load: node.load }),
    ...(meanLoad !== undefined && { meanLoad }),
    ...factor,
    toldMs: node.toldAtMs === undefined ? -1 : Math.max(0, Math.round(now.nowMs - node.toldAtMs)),
    ...(node.inFlight !== undefined && { inFlight: node.inFlight }),
    ...(node.serviceMs !== undefined && { serviceMs: node.serviceMs }),
    metrics,
    requests,
    sessions,
    sessionsSeenOnce: own.sessionsSeenOnce,
  };
}

function compared(state: RegistryState, node: NodeView, nowMs: number): Compared {
  const counters = state.workers.counters(node.id, nowMs);
  const isEnabled = node.liveness === 'up' && effectiveStatus(node) === 'enabled';
  return {
    node,
    perSecond: state.traffic.perSecond(node.id, nowMs),
    ...sessionNumbers(node.sessions, counters),
    isTaking: isEnabled && takesNew(node) && !isStandby(node) && counters.ejectedBy.length === 0,
    recent: state.outcomes.recent(node.id, nowMs),
    ejection: state.outcomes.ejection(node.id, nowMs),
  };
}

function shareOf(count: number, all: number, fairShare: number): ExplainedShare {
  return { count, share: all > 0 ? count / all : 0, fairShare };
}

/** Of a gone node only its absence is true, and what an operator wants of it if it returns. */
function absence(node: NodeView, now: Now): readonly string[] {
  const { operatorStatus } = node;
  const why = node.livenessReason === undefined ? '' : `: ${inWords(node, node.livenessReason, now.nowMs)}`;
  const gone = `it is gone${why}; it gets no requests`;
  if (operatorStatus.status === 'enabled') return [gone];
  return [gone, `if it registers again, it is ${operatorStatus.status}${requester(operatorStatus)}`];
}

/** ` by eve (deploy)`. */
function requester({ by, reason }: RequestedStatus): string {
  return `${by === undefined ? '' : ` by ${by}`}${reason === undefined ? '' : ` (${reason})`}`;
}

/** The causes that keep new sessions away, or let few of them in. */
function standing(state: RegistryState, node: NodeView, now: Now): readonly string[] {
  const sentences: string[] = [];
  if (node.liveness !== 'up') {
    const why = node.livenessReason === undefined ? '' : `: ${inWords(node, node.livenessReason, now.nowMs)}`;
    const effect =
      node.liveness === 'suspect'
        ? '; it keeps its sessions while it answers, and gets new ones only when no better node is there'
        : '; it gets no requests';
    sentences.push(`it is ${node.liveness}${why}${effect}`);
  }
  const ports = state.ports.of(node.id).map(({ worker, port }) => `${port} (${worker})`);
  if (node.liveness === 'suspect' && ports.length > 0) sentences.push(`its port, by worker: ${ports.join(', ')}`);
  if (!node.isReady) {
    const cause = node.readyReason === undefined ? 'it reports that it is not ready' : `it ${node.readyReason}`;
    sentences.push(`${cause}: it keeps its sessions, and new ones go elsewhere while a ready node is there`);
  }
  if (node.isReadyLate)
    sentences.push(
      `it takes more than ${READY_LATE_MS / 1_000} s to answer ${node.registration.readyPath}: it counts as fully loaded until it is prompt`,
    );
  const { flapping } = node.returns;
  if (flapping?.heldUntilMs !== undefined) {
    const heldS = Math.max(1, Math.ceil((flapping.heldUntilMs - now.nowMs) / 1_000));
    sentences.push(
      `it is flapping (${flapping.count} returns): for ${heldS} s more it keeps its sessions, and new ones go elsewhere while a ready node is there`,
    );
  }
  const status = effectiveStatus(node);
  if (status !== 'enabled') {
    const requestedStatus = node.operatorStatus.status === status ? node.operatorStatus : node.nodeStatus;
    const isOwn = requestedStatus === node.nodeStatus;
    const who = isOwn
      ? ` by its own request${requester({ ...requestedStatus, by: undefined })}`
      : requester(requestedStatus);
    const effect = status === 'draining' ? 'it keeps its sessions and gets no new ones' : 'it gets no requests';
    sentences.push(`it is ${status}${who}: ${effect}`);
  }
  if (isStandby(node)) sentences.push('it is standby: it gets new sessions only when no other node is eligible');
  const { ejectedBy } = state.workers.counters(node.id, now.nowMs);
  if (ejectedBy.length > 0) {
    const { reason } = state.outcomes.ejection(node.id, now.nowMs) ?? {};
    const why = reason === undefined ? '' : `, because ${reason}`;
    sentences.push(
      `${ejectedBy.join(', ')} ejected it${why}: it keeps its sessions, and gets nothing else but a trial`,
    );
  }
  if (node.addressFault !== undefined) sentences.push(node.addressFault.message);
  const { redirectTo } = node.overrides;
  if (redirectTo !== undefined) sentences.push(`its sessions are sent to ${redirectTo}`);
  const ageMs = now.nowMs - node.registeredAtMs;
  if (sentences.length === 0 && ageMs < JOINING_MS)
    sentences.push(`it registered ${Math.round(ageMs / 1_000)} s ago: new nodes ramp up over about 20 s`);
  return sentences;
}

/** Errors that its peers do not have, and ejections of the last ten minutes. */
function troubles(own: Compared, all: readonly Compared[], { nowMs }: Now): readonly string[] {
  const { ejection } = own;
  const sentences: string[] = [];
  const errors = errorsApart(own, all);
  if (errors !== undefined)
    sentences.push(
      `it answers ${percent(errors.ratio)} of its requests with errors${errors.others === undefined ? '' : `; its peers ${percent(errors.others)}`}`,
    );
  if (ejection !== undefined)
    sentences.push(
      `it was ejected ${ejection.count === 1 ? 'once' : `${ejection.count} times`} in the last ten minutes, last ${inSeconds(nowMs - ejection.lastMs)} ago, because ${ejection.reason}`,
    );
  return sentences;
}

/** Its ratio of errors and the median one of its peers, where it stands out; `others` is absent without peers that have requests. */
function errorsApart(
  own: Compared,
  all: readonly Compared[],
): { readonly ratio: number; readonly others?: number } | undefined {
  const ratio = errorRatio(own.recent);
  if (own.recent.requests < FEW || ratio < ERRORS) return undefined;
  const others = medianOf(all.map((other) => (other === own ? undefined : ratioOf(other))));
  if (others !== undefined && others > ratio / 2) return undefined;
  return { ratio, ...(others !== undefined && { others }) };
}

/** `undefined` for a node with too few requests. */
function ratioOf({ recent }: Compared): number | undefined {
  return recent.requests < FEW ? undefined : errorRatio(recent);
}

function loadSentences(
  node: NodeView,
  metrics: readonly ExplainedMetric[],
  factor: number | undefined,
): readonly string[] {
  if (node.load === undefined || factor === undefined)
    return ['it has reported no load: the proxies place by their own measurements of it'];
  const decisive = metrics.find(({ isDecisive }) => isDecisive);
  const cause = decisive === undefined ? '' : `, which is ${inPlain(decisive)}`;
  const meanLoad = node.history.load.mean ?? node.load;
  const smoothed =
    Math.abs(meanLoad - node.load) < 0.005
      ? ''
      : `; over its last ten reports, the newest counting most, it is ${percent(meanLoad)}`;
  const reckoned = isStandby(node) ? 'load factor 0: standby' : `load factor ${factor}`;
  return [`load ${percent(node.load)}${cause}${smoothed}: ${reckoned}`];
}

function inPlain({ name, role, value, unit, capacity, part, isSoft }: ExplainedMetric): string {
  const share = role === 'mean' ? `mostly ${name}` : name;
  if (value === undefined || capacity === undefined) return `${share} at ${percent(part)}`;
  if (capacity === 1 && unit === undefined) return `${share} at ${percent(value)}`;
  const amount = `${rounded(value)}${unit === undefined ? '' : ` ${unit}`}`;
  return `${share} at ${amount} ${isSoft ? `where ${rounded(capacity)} is half full` : `of ${rounded(capacity)}`}`;
}

function shareSentences(
  own: Compared,
  all: readonly Compared[],
  { requests, sessions }: { readonly requests: ExplainedShare; readonly sessions: ExplainedShare },
): readonly string[] {
  const taking = all.filter(({ isTaking }) => isTaking);
  const weight = weightOf(own.node);
  const isWeighted = taking.some(({ node }) => weightOf(node) !== weight);
  const sentences = own.isTaking
    ? [
        `its fair share is ${percent(requests.fairShare)}: ${isWeighted ? `weight ${weight} of ${rounded(sumOf(taking, ({ node }) => weightOf(node)))}` : `one of ${taking.length} nodes of the same weight`}`,
      ]
    : [];
  if (sumOf(all, ({ perSecond }) => perSecond) < FEW)
    return [...sentences, `fewer than ${FEW} requests a second came to all nodes lately: shares are chance`];
  const difference = requests.fairShare === 0 ? 0 : requests.share / requests.fairShare - 1;
  const verdict = `it gets ${percent(requests.share)} of the requests of the last ${(2 * FADE_MS) / 1_000} s or so, and has ${percent(sessions.share)} of the sessions`;
  if (!own.isTaking) return [...sentences, `${verdict}: the requests of its sessions`];
  if (Math.abs(difference) < ORDINARY) return [...sentences, `${verdict}: about its fair share`];
  const reasons = reasonsFor(difference > 0, own, taking, sessions);
  const comparison = difference > 0 ? 'more than its fair share' : 'less than its fair share';
  return [...sentences, `${verdict}: ${comparison}${reasons.length === 0 ? '' : `, because ${reasons.join('; ')}`}`];
}

/** The reasons for more, or fewer, requests than a fair share. */
function reasonsFor(
  isMore: boolean,
  own: Compared,
  taking: readonly Compared[],
  sessions: ExplainedShare,
): readonly string[] {
  const reasons: string[] = [];
  const others = taking.filter(({ node }) => node !== own.node);
  if (!isMore && (own.ejection !== undefined || errorsApart(own, taking) !== undefined))
    reasons.push(
      own.ejection === undefined ? 'errors count against it' : 'it gets no new sessions while it is ejected',
    );
  const load = medianOf(others.map(({ node }) => node.load));
  if (own.node.load !== undefined && load !== undefined && isApart(isMore, load, own.node.load, 0.05))
    reasons.push(`its load is ${percent(own.node.load)} and that of the others ${percent(load)}`);
  const serviceMs = medianOf(others.map(({ node }) => node.serviceMs));
  if (
    own.node.serviceMs !== undefined &&
    serviceMs !== undefined &&
    isApart(isMore, serviceMs, own.node.serviceMs, 0.5)
  )
    reasons.push(`a request takes it ${rounded(own.node.serviceMs)} ms and the others ${rounded(serviceMs)} ms`);
  const hasFew = sumOf(taking, (other) => other.sessions) < FEW;
  const apart = sessions.share / sessions.fairShare - 1;
  if (!hasFew && (isMore ? apart > ORDINARY : apart < -ORDINARY))
    reasons.push(`requests of a session go where the session is, and it has ${percent(sessions.share)} of them`);
  return reasons;
}

/** Whether `less` is clearly less than `more`; without `isLess`, whether `more` is clearly less than `less`. */
function isApart(isLess: boolean, more: number, less: number, atLeast: number): boolean {
  const difference = isLess ? more - less : less - more;
  return difference > atLeast && difference > ORDINARY * Math.min(more, less);
}

/** Of the known values, of an even number the lower one: one sick peer does not change the comparison. */
function medianOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined).sort((one, other) => one - other);
  return known[(known.length - 1) >> 1];
}

function sumOf<Item>(items: readonly Item[], size: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + size(item), 0);
}

/** In whole percent, and from 1 % down to a tenth. */
function percent(ratio: number): string {
  const value = ratio * 100;
  return `${value > 0 && value < 1 ? Math.max(0.1, Math.round(value * 10) / 10) : Math.round(value)} %`;
}

function rounded(value: number): string {
  return String(Math.abs(value) < 100 ? Math.round(value * 10) / 10 : Math.round(value));
}
