/** The cost model of `session`: numbers in, a number out. Which nodes are compared, and when, is in `session.ts`. */

/** Upper bound of a cost, without unit. Costs are finite, so that a rank can come before them. */
export const MAX_COST = 1e6;

// Each constant has its unit, its effect, and the scenario of packages/simulator that gets worse without it. Figures are in the
// README there.

/**
 * A node whose wait is above this many medians gets no new session while others are below it. Smaller excludes nodes for chance,
 * larger sends logins to slow nodes. Scenario: `sticky` without load reports.
 */
const WAIT_RATIO = 2;
/** Waits up to this much above the limit exclude no node, milliseconds. Larger is slower to exclude a node. Scenario: `sticky`. */
const NOISE_MS = 10;
/**
 * The `busy` from which on speeds count in full, 0–1. Smaller lets chance of idle nodes count. Scenario: `sticky` without load
 * reports.
 */
const FULL_SPEED_BUSY = 0.3;
/**
 * Nodes with a mean load up to this are idle, 0–1: differences between them are chance. Larger places by sessions alone longer.
 * Scenario: `sticky` without load reports.
 */
const IDLE_LOAD = 0.1;
/**
 * The mean load from which on load and queue have their largest weight, 0–1. Larger lets load count later. Scenario:
 * `short-lives`.
 */
const FULL_LOAD = 0.6;
/**
 * Largest weight of the load against the number of sessions, 0–1. Larger follows load more, and short changes of it too. Scenario:
 * `sticky-75`.
 */
const MAX_LOAD_WEIGHT = 0.8;
/**
 * Largest part of a cost that one request per core adds. Larger gives nodes that are slow for a moment too few sessions for a long
 * time. Scenario: `short-lives`, where the idle one of similar nodes answers the login at once.
 */
const MAX_QUEUE_WEIGHT = 0.1;
/**
 * Part of the load of an average session that is added for each session not yet in the smoothed load. Larger takes longer to give a
 * joining node the last tenth of its share, smaller gives it more than its share. Scenario: `scale-up`.
 */
const NEW_SESSION_PART = 0.7;
/**
 * Exponent by which slow nodes are filled less than by their speed: 0 by the speed, 1 by the square of the speed. Scenario: `sticky`
 * without load reports.
 */
const SLOWNESS_POWER = 0.7;
/**
 * The next session may cost as much as this many average ones. Larger keeps sessions from slow nodes earlier. Scenario: `sticky`
 * without load reports.
 */
const HEAVY_SESSION = 10;
/**
 * Exponent of the load in `headroom`: little effect up to a load of three quarters, and a strong one near 1. Smaller acts earlier.
 * Scenario: `sticky-75`.
 */
const HEADROOM_POWER = 4;
/** Upper bound of the load in `headroom`, 0–1. With 1 all full nodes cost the same. Scenario: `short-lives`. */
const MAX_FULLNESS = 0.99;

/** How much load, queue and speed count against the number of sessions. They count more the busier the nodes are. */
export interface CostWeights {
  /** `w` of the formula, 0 … 0.8. */
  readonly loadWeight: number;
  /** `r` of the formula, 0 … 0.1. */
  readonly queueWeight: number;
  /** Exponent of the ratio of service times, 0 … 1. */
  readonly speedPower: number;
}

/** Numbers of all nodes together. */
export interface ClusterTerms extends CostWeights {
  /** Mean of `sessionsPerWeight × slowness`. */
  readonly meanSessions: number;
  /** Mean of load by weight. */
  readonly meanLoad: number;
  /** Load of an average session on a typical node. */
  readonly loadPerSession: number;
}

/** Numbers of one node. */
export interface NodeTerms {
  readonly weight: number;
  /** Sessions now, with the ones that no report contains yet. */
  readonly sessions: number;
  /** Smoothed load, 0 idle … 1 full. */
  readonly load: number;
  /** Sessions that `load` includes. */
  readonly loadSessions: number;
  /** Relative cost of a session at this node; 1 on a typical node. */
  readonly slowness: number;
  /** Requests at the node by its cores. */
  readonly queue: number;
}

/**
 * Cost of one more session at a node, without unit: 1 is about the mean, lower is better, at most `MAX_COST`.
 *
 * `cost = ((1 − w) × sessionRatio + w × loadRatio) × slowness^0.7 / headroom × (1 + r × queue)`
 *
 * - `sessionRatio` is `(sessions + 1) / weight × slowness`, divided by its mean over the nodes.
 * - `loadRatio` is `load / weight`, divided by its mean over the nodes.
 * - `load` is the smoothed load, plus `0.7 × s` for each session that it does not include yet.
 * - `headroom` is `1 − min(0.99, load + 10 × s)^4`.
 * - `slowness` is `(service time / median service time)^min(1, busy / 0.3)`.
 * - `s` is the load per session on a typical node, times `slowness`.
 * - `queue` is the number of requests at the node by its cores.
 * - `w` is 0 up to a mean load of 0.1, and rises to 0.8 at a mean load of 0.6.
 * - `r` is 0 up to a `busy` of 0.1, and rises to 0.1 at 0.6.
 * - `busy` is the larger one of mean load and mean queue, in which a node counts for at most 1.
 *
 * While all nodes are idle only the number of sessions counts: a session causes later requests. Slow nodes are filled less than
 * fast ones, because a queue costs more time there. `headroom` keeps sessions from a node that one active session could overload:
 * strict sessions cannot leave it.
 */
export function sessionCost(node: NodeTerms, all: ClusterTerms): number {
  const { slowness, weight } = node;
  const loadPerSession = all.loadPerSession * slowness;
  const load = Math.max(0, node.load + NEW_SESSION_PART * (node.sessions - node.loadSessions) * loadPerSession);
  const sessionRatio = (sessionsPerWeight(node.sessions, weight) * slowness) / all.meanSessions;
  const mixed = (1 - all.loadWeight) * sessionRatio + (all.loadWeight * load) / (all.meanLoad * weight);
  const headroom = 1 - Math.min(MAX_FULLNESS, load + HEAVY_SESSION * loadPerSession) ** HEADROOM_POWER;
  const cost = ((mixed * slowness ** SLOWNESS_POWER) / headroom) * (1 + all.queueWeight * node.queue);
  return Number.isFinite(cost) ? Math.min(MAX_COST, cost) : MAX_COST;
}

/** Sessions by weight, with one more. */
export function sessionsPerWeight(sessions: number, weight: number): number {
  return (sessions + 1) / weight;
}

/** Relative cost of a session at a node, from its service time and the median of all nodes. */
export function slownessOf(serviceMs: number, medianMs: number, speedPower: number): number {
  return (serviceMs / medianMs) ** speedPower;
}

/** The weights at a mean load of all nodes, and a mean queue in which a node counts for at most 1. */
export function costWeights(meanLoad: number, meanQueue: number): CostWeights {
  // Queues show a burst of requests at once, loads show it seconds later.
  const busy = Math.max(meanLoad, meanQueue);
  return {
    loadWeight: MAX_LOAD_WEIGHT * idleToFull(meanLoad),
    queueWeight: MAX_QUEUE_WEIGHT * idleToFull(busy),
    speedPower: Math.min(1, busy / FULL_SPEED_BUSY),
  };
}

/** The wait (`waitOf`) above which a node gets no session while others are below it, from the median over the nodes. */
export function waitLimit(medianWait: number): number {
  return WAIT_RATIO * medianWait + NOISE_MS;
}

/** 0 up to `IDLE_LOAD`, 1 from `FULL_LOAD` on. */
function idleToFull(load: number): number {
  return Math.min(1, Math.max(0, (load - IDLE_LOAD) / (FULL_LOAD - IDLE_LOAD)));
}
