/**
 * Messages between coordinator and proxy workers, one JSON object per text frame. Unlike the agent protocol this
 * is private to one release: both ends are ours and travel together.
 *
 * Order from the coordinator: `hello`, `snapshot` parts, `commit`, then `changes`, `loads`, `shares` and `ask` as they
 * come.
 * A worker applies nothing of a snapshot before its `commit`, and confirms each revision it acts upon with `applied`.
 */
import type { BalancerName, ContextPath, GroupName, HostPattern, NodeId, NodeUrl, Route } from './ids.ts';
import type { Failover, Status, StickyMode } from './messages.ts';

/**
 * `up`: the node is heard. `suspect`: no heartbeat for `suspectMs`, the socket closed without `leave`, or a member without
 * an agent does not answer. `orphaned`: its coordinator is lost. `down`: a static member that has not answered for a lease; it
 * keeps its context. Nodes that are still being probed, and nodes that are gone, are not in the feed.
 */
export type FeedLiveness = 'up' | 'suspect' | 'orphaned' | 'down';

/**
 * What a worker knows of the port of a node. `unknown`: it was asked nothing. `unresponsive`: a question is overdue.
 * `refused`: connects were refused, reset, or closed without an octet.
 */
export type PortState = 'unknown' | 'answers' | 'unresponsive' | 'refused';

/** A port state, or `given-up`: the worker serves nothing by this node until it answers. */
export type PortReport = PortState | 'given-up';

/**
 * How a node is probed, as the coordinator learned at registration. `proof`: `OPTIONS *`, and the answer proves the instance.
 * `options`: `OPTIONS *`. `head`: HEAD of the ready path. `connect`: a TCP connect only.
 */
export type ProbeKind = 'proof' | 'options' | 'head' | 'connect';

/**
 * Why a node is no longer there. `left` and `removed` were meant. `expired`: no sign of life for a lease. `refused`: its connection
 * is closed and its port refuses. `taken`: another node or program has its address.
 */
export type GoneCause = 'left' | 'expired' | 'removed' | 'refused' | 'taken';
/** All of them. */
export const GONE_CAUSES: readonly GoneCause[] = ['left', 'expired', 'removed', 'refused', 'taken'];

/**
 * Why a session was moved to another node: the node is gone, or stopped, redirected, refused (its port), unresponsive (given up by this
 * worker), or replaced at once because the balancer is `eager`. `unknown`: the worker remembers the route only.
 */
export type FailoverCause = GoneCause | 'unresponsive' | 'stopped' | 'redirected' | 'eager' | 'unknown';
/** All of them. */
export const FAILOVER_CAUSES: readonly FailoverCause[] = [
  ...GONE_CAUSES,
  'unresponsive',
  'stopped',
  'redirected',
  'eager',
  'unknown',
];

/**
 * Where one node may point, by who registered it. `isLocal`: from the coordinator's machine, so that loopback addresses are meant
 * for it. `isAnywhere`: an operator, who may name any address that is not forbidden.
 */
export interface NodeReach {
  /** Address that the registration came from; a node may always have it. */
  readonly from?: string;
  readonly isLocal: boolean;
  readonly isAnywhere: boolean;
}

/** The same for all nodes. */
export interface ReachBounds {
  /** Address, or range of addresses, and port of everything of ours that listens; no node may point there. */
  readonly listeners: readonly { readonly host: string; readonly port: number }[];
  /** Addresses and ranges that every node may have (`--node-allow`). */
  readonly allow: readonly string[];
}

/** One context of a node with the status that results from operator, node and context. */
export interface FeedContext {
  readonly path: ContextPath;
  readonly status: Status;
}

/** All a worker needs to know of one node. */
export interface FeedNode {
  /** What its address may come to be; absent where it is not known: only what no node may have is refused then. */
  readonly reach?: NodeReach;
  /** Small integer, unique among the nodes of one epoch; `loads` refers to it. Never reused within an epoch. */
  readonly index: number;
  readonly id: NodeId;
  readonly balancer: BalancerName;
  readonly url: NodeUrl;
  readonly route: Route;
  readonly hosts: readonly HostPattern[];
  readonly contexts: readonly FeedContext[];
  readonly weight: number;
  readonly group?: GroupName;
  readonly incarnation: number;
  /** 32 hex digits of the present process: the key of its proofs. Absent for members without an agent. */
  readonly instance?: string;
  readonly liveness: FeedLiveness;
  /** False for members without an agent: they are heard while they answer. */
  readonly hasAgent: boolean;
  /** The agent's own connection is open at the coordinator. */
  readonly isConnected: boolean;
  /** False: new work goes elsewhere while a ready node exists. */
  readonly isReady: boolean;
  /** While suspect: milliseconds since the node was last heard. */
  readonly silentMs?: number;
  readonly probe: ProbeKind;
  /** What HEAD asks for; with `probe: head`. */
  readonly probePath?: string;
  /** Chosen for new sessions only when nobody else is eligible (load factor 0). */
  readonly standby: boolean;
  /** It has come back so often that its ramp is twice as long; absent: no. */
  readonly flapping?: boolean;
  /** Idle time the node keeps connections open, when it has told. */
  readonly keepAliveMs?: number;
  readonly publicUrl?: string;
  readonly cores?: number;
  readonly loadHeader: boolean;
  /** Milliseconds since its present process came into the feed; absent when that is not known: it has been there before. */
  readonly ageMs?: number;
  /** Last known load, 0 … 1; absent when never reported. */
  readonly load?: number;
  readonly sessions?: number;
  /** Milliseconds since the node told these two; absent: just now. */
  readonly loadAgeMs?: number;
  /** Sessions of this node are sent to that node instead. */
  readonly redirectTo?: NodeId;
}

/** Sticky settings in force, after precedence and defaults. */
export interface StickySettings {
  readonly mode: StickyMode;
  readonly cookies: readonly string[];
  readonly parameters: readonly string[];
  readonly failover: Failover;
  readonly remove: boolean;
  readonly movable: boolean;
}

/** Settings of one balancer that workers act upon. */
export interface FeedBalancer {
  readonly name: BalancerName;
  /** Algorithm for requests without a session. */
  readonly algorithm: string;
  /** Algorithm for new sessions. */
  readonly sessionAlgorithm: string;
  readonly sticky: StickySettings;
  /** Further attempts after a failed one; 0 switches retries off. Default 2. */
  readonly retries: number;
  /** A session is active until it was silent this long. Default 1,800,000 (30 min). */
  readonly sessionIdleMs: number;
  /** Clients may ask which node to connect to directly. Default false. */
  readonly assign: boolean;
}

/** A route whose node is gone but whose sessions must not be mistaken for new ones. */
export interface FeedRememberedRoute {
  readonly balancer: BalancerName;
  readonly route: Route;
  /** True while the learning window waits for this node to come back. */
  readonly isExpected: boolean;
}

export interface FeedHello {
  readonly type: 'hello';
  readonly epoch: string;
  /** `FEED_VERSION` of the coordinator. */
  readonly feedVersion: number;
  /** Absent from releases before this rule. */
  readonly reach?: ReachBounds;
}

/** A message of a newer release: skipped. */
export interface FeedUnknown {
  readonly type: 'unknown';
}

/** Part `part` of `parts`, at most 100 nodes each. Balancers, remembered routes and nodes come in this order, in as many parts as they need. */
export interface FeedSnapshot {
  readonly type: 'snapshot';
  readonly part: number;
  readonly parts: number;
  readonly balancers: readonly FeedBalancer[];
  readonly remembered: readonly FeedRememberedRoute[];
  readonly nodes: readonly FeedNode[];
}

/** Ends a snapshot. */
export interface FeedCommit {
  readonly type: 'commit';
  readonly epoch: string;
  readonly revision: number;
  /** False for some time after the coordinator started: what is missing here may only be late. */
  readonly isSettled: boolean;
  /** Milliseconds the learning window stays open; 0 when it is over. */
  readonly learningMs: number;
  /** Time without any sign of life after which a node is gone, milliseconds. */
  readonly leaseMs: number;
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
  /** Contexts without nodes are forgotten: of this path and host, of this path on every host, or all. */
  | { readonly type: 'contexts-forgotten'; readonly path?: ContextPath; readonly host?: HostPattern }
  /** The balancer has had no node and no settings for an hour. Its remembered routes are not concerned. */
  | { readonly type: 'balancer-forgotten'; readonly name: BalancerName }
  /** A remembered route has had its 24 hours. */
  | { readonly type: 'forgotten'; readonly balancer: BalancerName; readonly route: Route }
  /** The learning window is over, or the coordinator has settled. */
  | { readonly type: 'settled'; readonly isSettled: boolean; readonly learningMs: number };

export interface FeedChanges {
  readonly type: 'changes';
  readonly revision: number;
  readonly changes: readonly FeedChange[];
}

/**
 * What nodes have told of themselves since the last message; -1 stands for what is not told, and what is missing at the
 * end is not told either. `counted` is what all workers have counted together, told only where it is more than one of
 * them sees. At most 4 messages a second.
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
  /** Requests the node is serving, whoever sent them. */
  inFlight?: number,
  /** Busy milliseconds per request. */
  serviceMs?: number,
];

/**
 * Which part of a balancer's requests comes through the worker that is told, 1/64 … 1; those not named are as before.
 * At most one message a second, of those that have changed by a tenth or more.
 */
export interface FeedShares {
  readonly type: 'shares';
  readonly shares: readonly FeedShare[];
}

export type FeedShare = readonly [balancer: BalancerName, share: number];

/** Asks one worker what it would do, or for its scoreboard. */
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
   * The worker's next choices as it makes them, or only those that an algorithm makes: until there are `count`, 1–100, or
   * `forMs` has passed, 1–30,000.
   */
  | { readonly type: 'decisions'; readonly count: number; readonly forMs: number; readonly onlyPicks: boolean };

export type FeedToWorker = FeedHello | FeedSnapshot | FeedCommit | FeedChanges | FeedLoads | FeedShares | FeedAsk;

/** First message of a worker. */
export interface WorkerHello {
  readonly type: 'hello';
  /** Stable name of the worker within its coordinator, e.g. `local-0`. */
  readonly worker: string;
  readonly pid: number;
  readonly version: string;
  /** `FEED_VERSION` of the worker. */
  readonly feedVersion: number;
}

export interface WorkerApplied {
  readonly type: 'applied';
  readonly revision: number;
}

/** What one worker sees of one node. Counts are totals since the worker started, except those named as present. */
export interface NodeCounters {
  readonly id: NodeId;
  /** Requests being forwarded right now, upgrades not included. */
  readonly inFlight: number;
  /** Upgraded connections open right now. */
  readonly tunnels: number;
  readonly requests: number;
  /** Attempts that failed by the node's fault: refused, reset, timed out, broken answer. */
  readonly failures: number;
  /** Answers with status 500 and above. */
  readonly serverErrors: number;
  readonly newSessions: number;
  /** Sessions seen within `sessionIdleMs`, by this worker alone. */
  readonly activeSessions: number;
  readonly bytesToNode: number;
  readonly bytesFromNode: number;
  /** Smoothed time to the first response byte, milliseconds; -1 before the first answer. */
  readonly latencyMs: number;
  /** Out of rotation for new work because of failed requests or errors. */
  readonly isEjected: boolean;
  /** Requests that wait for this node to answer right now. */
  readonly parked: number;
}

/** Sessions that one worker has moved away from a node for one reason since the worker started. */
export interface FailoverCount {
  readonly balancer: BalancerName;
  readonly node: NodeId;
  readonly cause: FailoverCause;
  readonly count: number;
}

/**
 * What one worker knows of ports: sent on each change, and each second while a node that is suspect or has no agent answers. All are sent
 * after each connect.
 */
export interface WorkerPorts {
  readonly type: 'ports';
  readonly ports: readonly (readonly [id: NodeId, port: PortReport])[];
}

/** Why workers turn clients away. `WorkerCounters.refusals` counts in this order. */
export const REFUSALS = [
  /** As many connections as there may be. */
  'connections',
  /** As many from one address as there may be. */
  'connections-per-address',
  /** No TLS handshake, or a broken one. */
  'handshake',
  /** A head that did not come in time. */
  'header-timeout',
  /** A request line or fields beyond their limits. */
  'too-large',
  /** What came is not a request we take. */
  'bad-request',
  /** A body that stopped coming, or came too slowly. */
  'body-timeout',
  /** A body that breaks its own framing. */
  'bad-body',
  /** As many requests wait for a node as may. */
  'parking',
  /** An answer that the client did not take. */
  'client-stall',
] as const;

export type Refusal = (typeof REFUSALS)[number];

/** Totals of one worker since it started, except those named as present. */
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
  /** Requests that wait for a node right now, and how long the oldest of them has, milliseconds. */
  readonly parked: number;
  readonly oldestParkedMs: number;
  /** Connections and requests turned away, in the order of `REFUSALS`. */
  readonly refusals: readonly number[];
  readonly clientAborts: number;
  /** Requests that found nobody eligible. */
  readonly unavailable: number;
  /** Requests whose session id named no known route. */
  readonly unknownRoutes: number;
  /** Sessions that have left a hot node. */
  readonly moved: number;
  /** Lines of the worker's log, and of its access log, that could not be written. */
  readonly logLinesLost: number;
  readonly accessLogLinesLost: number;
  readonly loopDelayMs: number;
  /** Upper bounds are `LATENCY_BUCKETS_MS`; the last count is for everything above. */
  readonly latencyBuckets: readonly number[];
  /** Sum of what is in them, milliseconds. */
  readonly latencySumMs: number;
}

/** At most 4 a second, and at once when a node that is draining or stopped comes to 0 in flight. */
export interface WorkerCountersMessage {
  readonly type: 'counters';
  readonly revision: number;
  readonly nodes: readonly NodeCounters[];
  readonly totals: WorkerCounters;
  /** Those that have changed since the last message of this connection; absent when none has. */
  readonly failovers?: readonly FailoverCount[];
}

/**
 * Sessions a worker has seen, for the count of all workers together: hashes, never ids. Above 32,768 sessions of a
 * node only hashes ending in `level` zero bits are told, and each stands for 2^level.
 */
export interface SessionSample {
  readonly level: number;
  /** Length of a part of the idle time, milliseconds. */
  readonly partMs: number;
  /** Until the present part is over, milliseconds. */
  readonly partEndsInMs: number;
  /** Hashes, 8 characters of base64url each, by the age in parts of when they were last seen. */
  readonly seen: readonly (readonly [age: number, hashes: string])[];
}

/** Sessions not told yet, or seen in a newer part of the idle time since. At most 128 KiB a second, in messages of 4 KiB; what is left at the end comes in one. */
export interface WorkerSessions {
  readonly type: 'sessions';
  readonly nodes: readonly (SessionSample & { readonly id: NodeId })[];
}

/**
 * What the last 100 new session ids and the last 100 visitors of a balancer looked like to one worker, for the sticky
 * self-check. Counts; names of cookies and routes, never values.
 */
export interface StickySample {
  readonly balancer: BalancerName;
  /** New ids in the balancer's cookies or parameters that name the route of the node that gave them. */
  readonly routed: number;
  /** … that name none. */
  readonly unrouted: number;
  /** … that name a route which no node has, the same in several ids. */
  readonly other: number;
  /** … that name another node's route. */
  readonly strange: number;
  /** New ids in the balancer's cookies that answered a request without a session. */
  readonly opened: number;
  /** … that answered a request of a session of the same node. */
  readonly renewed: number;
  /** Session-like values of cookies that are not among the balancer's. */
  readonly foreign: number;
  /** … of which the value names a known route. */
  readonly foreignRouted: number;
  /** Connections that got our cookie and sent it with their next request. */
  readonly returned: number;
  readonly refused: number;
  /** The cookie or parameter of the newest id without the route of its node. */
  readonly name?: string;
  /** The newest of the cookies that are not the balancer's. */
  readonly foreignName?: string;
  /** Nodes that write a route which is not theirs; at most 4. */
  readonly writes: readonly { readonly node: NodeId; readonly route: Route }[];
}

/** Of the balancers where something has changed; at most one a second. */
export interface WorkerSticky {
  readonly type: 'sticky';
  readonly revision: number;
  readonly balancers: readonly StickySample[];
}

/** Something the worker found out about a node from requests; for events and pages. */
export interface WorkerObserved {
  readonly type: 'observed';
  readonly id: NodeId;
  /** `not-allowed`: its address, or one that its name has now, may not be connected to. */
  readonly what: 'ejected' | 'readmitted' | 'not-allowed';
  readonly reason: string;
}

export interface WorkerAnswer {
  readonly type: 'answer';
  readonly id: number;
  readonly answer: ExplainAnswer | ScoreboardAnswer | DecisionsAnswer | FailedAnswer;
}

/** The worker could not answer, because of an internal error; its log has the stack. */
export interface FailedAnswer {
  readonly type: 'failed';
  readonly message: string;
}

/** One node as the worker weighs it for a request. */
export interface ExplainedCandidate {
  readonly id: NodeId;
  readonly isEligible: boolean;
  /** Why not, in words; empty when eligible. */
  readonly reason: string;
  /** The algorithm's score, lower is better; absent when it was not asked. */
  readonly score?: number;
}

export interface ExplainAnswer {
  readonly type: 'explain';
  readonly outcome: 'forward' | 'not-found' | 'unavailable' | 'bad-request';
  readonly balancer?: BalancerName;
  readonly context?: ContextPath;
  /** Where a route was found: `cookie NAME`, `path NAME`, `query NAME`, or absent. Values are never told. */
  readonly routeFrom?: string;
  readonly route?: Route;
  readonly chosen?: NodeId;
  /** One sentence for people. */
  readonly because: string;
  readonly candidates: readonly ExplainedCandidate[];
}

/** One choice of a worker, and what it knew when it made it. */
export interface Decision {
  readonly atUnixMs: number;
  readonly method: string;
  readonly host: string;
  /** Without query and parameters. */
  readonly path: string;
  readonly balancer?: BalancerName;
  readonly context?: ContextPath;
  /** As in the access log: `new`, `none`, `sticky`, `moved`, `away`; empty when nobody was chosen. */
  readonly result: string;
  readonly chosen?: NodeId;
  readonly because: string;
  /** Where a node was picked: the best of those it was picked from, best first, at most 10. */
  readonly candidates: readonly ExplainedCandidate[];
  /** Of so many. */
  readonly candidateCount: number;
}

export interface DecisionsAnswer {
  readonly type: 'decisions';
  readonly decisions: readonly Decision[];
}

export interface ScoreboardAnswer {
  readonly type: 'scoreboard';
  readonly connections: readonly {
    readonly client: string;
    readonly state: 'idle' | 'reading' | 'sending' | 'tunnel';
    readonly method: string;
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

/** Upper bounds of the latency histogram, milliseconds. */
export const LATENCY_BUCKETS_MS: readonly number[] = [
  0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000,
];
/** Choices that one answer tells. */
export const MAX_DECISIONS = 100;
/** Longest time that a worker tells its choices, milliseconds. */
export const MAX_DECISIONS_MS = 30_000;
/** Hashes of sessions that a worker tells in one second: 128 KiB and a few bytes per node. */
export const SESSIONS_PER_SECOND = 16_384;
/** Characters of one of them. */
export const SESSION_HASH_LENGTH = 8;
/** Least part of a balancer's requests that a worker is told to have. */
export const MIN_SHARE: number = 1 / 64;
/** Nodes in one part of a snapshot. */
export const SNAPSHOT_PART_NODES = 100;
