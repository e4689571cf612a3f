/**
 * Messages between coordinator and proxy workers, one JSON object per text frame. Unlike the agent protocol the feed is
 * not a stable interface for other implementations; `FEED_VERSION` is its version.
 *
 * Order from the coordinator: `hello`, `snapshot` parts, `commit`, then `changes`, `loads`, `shares` and `ask` in any order.
 * A worker applies nothing of a snapshot before its `commit`, and confirms each revision that it applies with `applied`.
 */
import type {
  BalancerLimits,
  BalancerName,
  ContextPath,
  Decision,
  ExplainAnswer,
  FailoverCause,
  GoneCause,
  HostPattern,
  NodeId,
  PastDecision,
  PortReport,
  Route,
  StickySettings,
} from '@rollcall/protocol';
import type { AnswerCounters, BalancerCounters } from './counters.ts';
import type { FeedNode } from './node-fields.ts';
import type { SessionSample } from './session-sample.ts';

export type { Decision, ExplainAnswer, ExplainedCandidate, ExplainedLimit } from '@rollcall/protocol';

/** Bounds that apply to the addresses of all nodes. */
export interface ReachBounds {
  /** Addresses, or ranges of addresses, and ports of the listeners of this installation; no node may have one of them. */
  readonly listeners: readonly { readonly host: string; readonly port: number }[];
  /** Addresses and ranges that every node may have (`--node-allow`). */
  readonly allow: readonly string[];
}

/** Settings of one balancer that workers apply. */
export interface FeedBalancer {
  readonly name: BalancerName;
  /** Algorithm for requests without a session. */
  readonly algorithm: string;
  /** Algorithm for new sessions. */
  readonly sessionAlgorithm: string;
  readonly sticky: StickySettings;
  /** Further attempts after a failed one; 0 switches retries off. Default 2. */
  readonly retries: number;
  /** Idle time after which a session counts as inactive, milliseconds. Default 1,800,000 (30 min). */
  readonly sessionIdleMs: number;
  /** Clients may request the address of a node for direct connections. Default false. */
  readonly assign: boolean;
  /** Time limits that are set for the balancer and for paths within it; absent without any. Others are those of the worker. */
  readonly limits?: BalancerLimits;
}

/** Route of a gone node. Requests with it belong to an existing session, not to a new one. */
export interface FeedRememberedRoute {
  readonly balancer: BalancerName;
  readonly route: Route;
  /** True while the learning window waits for the return of this node. */
  readonly isExpected: boolean;
}

/** A context that has lost its last node. For ten minutes it is answered with 503, instead of by an enclosing context. */
export interface FeedRememberedContext {
  readonly balancer: BalancerName;
  readonly host: HostPattern;
  readonly path: ContextPath;
  /** Time since its last node left, milliseconds. */
  readonly emptyMs: number;
}

/** Most contexts of joining nodes in one message. */
export const MAX_JOINING_CONTEXTS = 64;
/** Longest message on one of them, characters. */
export const MAX_JOINING_CHARS = 1_000;

/** A context that a joining node will serve. */
export interface FeedJoiningContext {
  readonly host: HostPattern;
  readonly path: ContextPath;
  /** One sentence: context, node, and why it is joining. At most `MAX_JOINING_CHARS`. */
  readonly message: string;
}

export interface FeedHello {
  readonly type: 'hello';
  readonly epoch: string;
  /** `FEED_VERSION` of the coordinator. */
  readonly feedVersion: number;
  /** Absent in the hello of releases without this field. */
  readonly reach?: ReachBounds;
}

/** A message of a newer release; the receiver skips it. */
export interface FeedUnknown {
  readonly type: 'unknown';
}

/**
 * Part `part` of `parts`, at most 100 nodes each. Balancers are sent first, then remembered routes and contexts, then nodes, in any number of
 * parts.
 */
export interface FeedSnapshot {
  readonly type: 'snapshot';
  readonly part: number;
  readonly parts: number;
  readonly balancers: readonly FeedBalancer[];
  readonly remembered: readonly FeedRememberedRoute[];
  /** Absent in snapshots of releases without this field. */
  readonly contexts?: readonly FeedRememberedContext[];
  readonly nodes: readonly FeedNode[];
}

/** Ends a snapshot. */
export interface FeedCommit {
  readonly type: 'commit';
  readonly epoch: string;
  readonly revision: number;
  /** False for some time after the start of the coordinator: nodes that are missing here may register late. */
  readonly isSettled: boolean;
  /** Remaining time of the learning window, milliseconds; 0 when it is over. */
  readonly learningMs: number;
  /** Time without any sign of life after which a node is gone, milliseconds. */
  readonly leaseMs: number;
  /** Contexts that joining nodes will serve, at most `MAX_JOINING_CONTEXTS`. Absent from releases without this field. */
  readonly joining?: readonly FeedJoiningContext[];
}

export type FeedChange =
  | { readonly type: 'node'; readonly node: FeedNode }
  | {
      readonly type: 'gone';
      readonly id: NodeId;
      readonly balancer: BalancerName;
      readonly route: Route;
      readonly cause: GoneCause;
    }
  | { readonly type: 'balancer'; readonly balancer: FeedBalancer }
  /** Contexts without nodes are forgotten. Without `host`: `path` on every host. Without `path`: all contexts. */
  | { readonly type: 'contexts-forgotten'; readonly path?: ContextPath; readonly host?: HostPattern }
  /** A context without nodes that the coordinator has read from its store. */
  | { readonly type: 'context-remembered'; readonly context: FeedRememberedContext }
  /** The balancer has had no node and no settings for an hour. Its remembered routes stay. */
  | { readonly type: 'balancer-forgotten'; readonly name: BalancerName }
  /** A remembered route has expired after 24 hours. */
  | { readonly type: 'forgotten'; readonly balancer: BalancerName; readonly route: Route }
  /** All contexts that joining nodes will serve, at most `MAX_JOINING_CONTEXTS`; earlier ones are forgotten. */
  | { readonly type: 'joining'; readonly contexts: readonly FeedJoiningContext[] }
  /** The learning window is over, or the coordinator has settled. */
  | { readonly type: 'settled'; readonly isSettled: boolean; readonly learningMs: number };

export interface FeedChanges {
  readonly type: 'changes';
  readonly revision: number;
  readonly changes: readonly FeedChange[];
}

/**
 * Numbers that nodes have reported since the last message. -1, or an element that is missing at the end, means that the node
 * did not report the number. `counted`: sessions that all workers together have counted, sent only where it exceeds the count
 * of a single worker. At most 4 messages a second.
 */
export interface FeedLoads {
  readonly type: 'loads';
  readonly loads: readonly FeedLoad[];
}

export type FeedLoad = readonly [
  index: number,
  load: number,
  sessions: number,
  counted?: number,
  /** Requests that the node is serving, of all clients and proxies. */
  inFlight?: number,
  /** Busy milliseconds per request. */
  serviceMs?: number,
];

/**
 * Share of a balancer's requests that the receiving worker forwards, 1/64 … 1. The shares of other balancers are unchanged.
 * At most one message a second, with the shares that have changed by a tenth or more.
 */
export interface FeedShares {
  readonly type: 'shares';
  readonly shares: readonly FeedShare[];
}

export type FeedShare = readonly [balancer: BalancerName, share: number];

/** Requests a decision, the next decisions or the scoreboard of one worker. */
export interface FeedAsk {
  readonly type: 'ask';
  readonly id: number;
  readonly question: FeedQuestion;
}

export type FeedQuestion =
  | {
      readonly type: 'explain';
      readonly host: string;
      readonly target: string;
      readonly cookie: string;
    }
  | { readonly type: 'scoreboard' }
  /**
   * The worker's next decisions; with `onlyPicks` only the decisions of an algorithm. Complete after `count` decisions, 1–100, or
   * after `forMs` milliseconds, 1–30,000.
   */
  | { readonly type: 'decisions'; readonly count: number; readonly forMs: number; readonly onlyPicks: boolean }
  /** Finished requests that the worker still keeps. All given values must match: `status` from 1 to 5 is a class. */
  | {
      readonly type: 'past-decisions';
      readonly requestId?: string;
      readonly node?: NodeId;
      readonly balancer?: BalancerName;
      readonly status?: number;
      /** Most records, 1–1,000. */
      readonly limit: number;
    };

/**
 * Sessions that all workers together have seen, in messages of 4 KiB: after a worker has joined or ended, to every worker. A
 * worker counts them as its own, so that it can report them to the next coordinator after a crash of this one.
 */
export interface FeedSessions {
  readonly type: 'sessions';
  readonly nodes: readonly (SessionSample & { readonly id: NodeId })[];
}

export type FeedToWorker =
  | FeedHello
  | FeedSnapshot
  | FeedCommit
  | FeedChanges
  | FeedLoads
  | FeedShares
  | FeedSessions
  | FeedAsk;

/** First message of a worker. */
export interface WorkerHello {
  readonly type: 'hello';
  /** Stable name of the worker within its coordinator, e.g. `local-0`. */
  readonly worker: string;
  readonly pid: number;
  readonly version: string;
  /** `FEED_VERSION` of the worker. */
  readonly feedVersion: number;
  /** Time since its counters began at 0, milliseconds. Workers of earlier releases do not send it. */
  readonly ageMs?: number;
}

export interface WorkerApplied {
  readonly type: 'applied';
  readonly revision: number;
}

/** One worker's counts of one node. They are totals since the worker started, except counts that are described as present. */
export interface NodeCounters {
  readonly id: NodeId;
  /** Requests that are being forwarded at present, without upgrades. */
  readonly inFlight: number;
  /** Upgraded connections that are open at present. */
  readonly tunnels: number;
  readonly requests: number;
  /** Attempts that failed because of the node: refused, reset, timed out, broken answer. */
  readonly failures: number;
  /** Answers with status 500 and above. */
  readonly serverErrors: number;
  readonly newSessions: number;
  /** Sessions whose id a request through this worker has sent within the last `sessionIdleMs`. */
  readonly activeSessions: number;
  /** Sessions that an answer has opened within the last `sessionIdleMs` and whose id no request has sent. */
  readonly sessionsSeenOnce: number;
  /** Sessions of `activeSessions` used within the last minute. Only of nodes without an enabled context; workers of earlier releases do not send it. */
  readonly usedInLastMinute?: number;
  readonly bytesToNode: number;
  readonly bytesFromNode: number;
  /** Smoothed time to the first response byte, milliseconds; -1 before the first answer. */
  readonly latencyMs: number;
  /** Out of rotation for new work because of failed requests or errors. */
  readonly isEjected: boolean;
  /** Requests that wait at present for an answer of this node. */
  readonly parked: number;
  /** Answers of the node. Workers of earlier releases do not send them. */
  readonly answers?: AnswerCounters;
}

/** Sessions that one worker has moved away from a node for one reason since the worker started. */
export interface FailoverCount {
  readonly balancer: BalancerName;
  readonly node: NodeId;
  readonly cause: FailoverCause;
  readonly count: number;
}

/**
 * Port states that one worker has observed: sent on each change, and each second while a node that is suspect or has no agent
 * answers. After each connect all states are sent.
 */
export interface WorkerPorts {
  readonly type: 'ports';
  readonly ports: readonly (readonly [id: NodeId, port: PortReport])[];
}

/** Reasons why workers refuse connections or requests of clients. `WorkerCounters.refusals` has this order. */
export const REFUSALS = [
  /** The limit of connections is reached. */
  'connections',
  /** The limit of connections from one address is reached. */
  'connections-per-address',
  /** The TLS handshake is missing or failed. */
  'handshake',
  /** The request head was not received in time. */
  'header-timeout',
  /** The request line or the fields exceed their limits. */
  'too-large',
  /** The received octets are not an acceptable request. */
  'bad-request',
  /** The request body stalled, or was received too slowly. */
  'body-timeout',
  /** The request body violates its framing. */
  'bad-body',
  /** The limit of requests that wait for a node is reached. */
  'parking',
  /** The client did not read the response. */
  'client-stall',
] as const;

export type Refusal = (typeof REFUSALS)[number];

/** Totals of one worker since it started, except counts that are described as present. */
export interface WorkerCounters {
  readonly requests: number;
  readonly inFlight: number;
  readonly connections: number;
  readonly accepted: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Answers by class: 1xx, 2xx, 3xx, 4xx, 5xx. */
  readonly statusClasses: readonly [number, number, number, number, number];
  readonly retries: number;
  /** Sessions moved to another node. */
  readonly failovers: number;
  /** Requests that wait for a node at present, and the wait of the oldest one, milliseconds. */
  readonly parked: number;
  readonly oldestParkedMs: number;
  /** Refused connections and requests, in the order of `REFUSALS`. */
  readonly refusals: readonly number[];
  /**
   * Refused connections of listeners with the PROXY protocol: the header is missing or malformed, or the peer is no trusted proxy. Not in
   * `refusals`, because a coordinator of an earlier release would refuse a longer list.
   */
  readonly proxyHeaderRefusals: number;
  readonly clientAborts: number;
  /** Requests without an eligible node. */
  readonly unavailable: number;
  /** Requests whose session id named no known route. */
  readonly unknownRoutes: number;
  /** Sessions that have left a hot node. */
  readonly moved: number;
  /** Lines of the worker's log and of its access log that could not be written. */
  readonly logLinesLost: number;
  readonly accessLogLinesLost: number;
  readonly loopDelayMs: number;
}

/** Counters of a worker without requests. */
export const NO_COUNTERS: WorkerCounters = {
  requests: 0,
  inFlight: 0,
  connections: 0,
  accepted: 0,
  bytesIn: 0,
  bytesOut: 0,
  statusClasses: [0, 0, 0, 0, 0],
  retries: 0,
  failovers: 0,
  parked: 0,
  oldestParkedMs: 0,
  refusals: REFUSALS.map(() => 0),
  proxyHeaderRefusals: 0,
  clientAborts: 0,
  unavailable: 0,
  unknownRoutes: 0,
  moved: 0,
  logLinesLost: 0,
  accessLogLinesLost: 0,
  loopDelayMs: 0,
};

/** Sent at most 4 times a second, and at once when a node that is draining or stopped reaches 0 in flight. */
export interface WorkerCountersMessage {
  readonly type: 'counters';
  readonly revision: number;
  readonly nodes: readonly NodeCounters[];
  readonly totals: WorkerCounters;
  /** Counts that have changed since the last message of this connection; absent when no count has. */
  readonly failovers?: readonly FailoverCount[];
  /** Likewise, of balancers. Workers of earlier releases do not send them. */
  readonly balancers?: readonly BalancerCounters[];
}

/**
 * Sessions that were not sent yet, or have had a request in a newer part of the idle time since. At most 128 KiB a second, in
 * messages of 4 KiB; at the end of the worker the rest is sent in one message.
 */
export interface WorkerSessions {
  readonly type: 'sessions';
  readonly nodes: readonly (SessionSample & { readonly id: NodeId })[];
}

/**
 * Counts over the last 100 new session ids and the last 100 visitors of a balancer at one worker, for the sticky self-check.
 * It contains names of cookies and routes, never values.
 */
export interface StickySample {
  readonly balancer: BalancerName;
  /** New ids in the balancer's cookies or parameters that name the route of the node that issued them. */
  readonly routed: number;
  /** New ids in them without a route. */
  readonly unrouted: number;
  /** New ids in them with a route that no node has, the same in several ids. */
  readonly other: number;
  /** New ids in them with the route of another node. */
  readonly strange: number;
  /** New ids in the balancer's cookies in responses to requests without a session. */
  readonly opened: number;
  /** New ids in the balancer's cookies in responses to requests of a session of the same node. */
  readonly renewed: number;
  /** Values that look like session ids, in cookies that are not configured for the balancer. */
  readonly foreign: number;
  /** Those of `foreign` whose value has a known route. */
  readonly foreignRouted: number;
  /** Connections that received the proxy's cookie and sent it with their next request. */
  readonly returned: number;
  readonly refused: number;
  /** New sessions of mode insert, by requests without and with a session cookie of the application. */
  readonly fresh: number;
  readonly routeless: number;
  /** Session cookie of the newest request counted in `routeless`. */
  readonly routelessName?: string;
  /** Cookie or parameter of the newest id without the route of its node. */
  readonly name?: string;
  /** Newest cookie counted in `foreign`. */
  readonly foreignName?: string;
  /** Nodes whose new ids have the route of another node; at most 4. */
  readonly writes: readonly { readonly node: NodeId; readonly route: Route }[];
}

/** Samples of the balancers whose counts have changed; at most one message a second. */
export interface WorkerSticky {
  readonly type: 'sticky';
  readonly revision: number;
  readonly balancers: readonly StickySample[];
}

/** Observation of a node by its requests; for events and pages. */
export interface WorkerObserved {
  readonly type: 'observed';
  readonly id: NodeId;
  /** `not-allowed`: connects to the node's address, or to an address that its name resolves to, are forbidden. */
  readonly what: 'ejected' | 'readmitted' | 'not-allowed';
  readonly reason: string;
  /** Of an ejection. Workers of earlier releases do not send it. */
  readonly cause?: EjectionCause;
}

/**
 * Causes of an ejection. `failures`: requests failed in a row. `errors`, `slow`: the node differs from the other nodes by errors or by
 * latency.
 */
export const EJECTION_CAUSES = ['failures', 'errors', 'slow'] as const;

export type EjectionCause = (typeof EJECTION_CAUSES)[number];

export interface WorkerAnswer {
  readonly type: 'answer';
  readonly id: number;
  readonly answer: ExplainAnswer | ScoreboardAnswer | DecisionsAnswer | PastDecisionsAnswer | FailedAnswer;
}

/** The worker could not answer because of an internal error; its log has the stack. */
export interface FailedAnswer {
  readonly type: 'failed';
  readonly message: string;
}

export interface DecisionsAnswer {
  readonly type: 'decisions';
  readonly decisions: readonly Decision[];
}

export interface PastDecisionsAnswer {
  readonly type: 'past-decisions';
  readonly worker: string;
  /** The matching requests, newest first. */
  readonly decisions: readonly PastDecision[];
  /** Requests that the worker keeps, and the arrival of the oldest one; absent without any. */
  readonly kept: number;
  readonly sinceUnixMs?: number;
}

export interface ScoreboardAnswer {
  readonly type: 'scoreboard';
  readonly connections: readonly {
    readonly client: string;
    readonly state: 'idle' | 'reading' | 'sending' | 'tunnel';
    readonly method: string;
    /** Without port. Workers of earlier releases do not send it. */
    readonly host?: string;
    readonly path: string;
    readonly node: string;
    readonly ageMs: number;
  }[];
}

export type FeedToCoordinator =
  | WorkerHello
  | WorkerApplied
  | WorkerCountersMessage
  | WorkerSessions
  | WorkerPorts
  | WorkerSticky
  | WorkerObserved
  | WorkerAnswer;

/** Most decisions in one answer. */
export const MAX_DECISIONS = 100;
/** Longest time for which a worker collects its decisions, milliseconds. */
export const MAX_DECISIONS_MS = 30_000;
/** Most hashes of sessions that a worker sends in one second: 128 KiB and a few bytes per node. */
export const SESSIONS_PER_SECOND = 16_384;
/** Smallest share of a balancer's requests that is sent to a worker. */
export const MIN_SHARE: number = 1 / 64;
/** Most nodes in one part of a snapshot. */
export const SNAPSHOT_PART_NODES = 100;
