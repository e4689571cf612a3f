/**
 * Resources and bodies of the admin API, shared by coordinator, dashboard and CLI. All instants are wall clock Unix
 * milliseconds, all durations milliseconds. `openapi.json` on the control port describes the same.
 */

import type { FailoverCause, FeedLiveness, PortReport, StickySettings } from './feed.ts';
import type { BalancerName, ContextPath, GroupName, HostPattern, NodeId, NodeUrl, Route } from './ids.ts';
import type { Failover, NodeProcess, Status, StickyHint, StickyMode } from './messages.ts';

/** Begins the name of the cookie that logs a browser in; the port of the control listener follows. Nodes never see or set it. */
export const LOGIN_COOKIE_PREFIX = 'rollcall_login_';
/** Request field with the key of a login. The pages keep it in the storage of their own origin; the cookie alone opens no more than them. */
export const PAGE_KEY_FIELD = 'rollcall-page-key';

/** A browser that is logged in. */
export interface LoginResource {
  readonly id: string;
  readonly createdAtUnixMs: number;
  /** Twelve hours later. */
  readonly expiresAtUnixMs: number;
  /** Address the browser came from. */
  readonly from: string;
  /** What the browser calls itself, at most 200 characters. */
  readonly agent: string;
  /** The request that asks is of this login. */
  readonly isCurrent: boolean;
}

/** Whether the node is there: `joining` is being probed, `gone` is remembered only, `down` is a static member that does not answer. */
export type Liveness = 'joining' | FeedLiveness | 'gone';

/** What an operator or node wants, and since when, by whom, why and until when. */
export interface WantedStatus {
  readonly status: Status;
  readonly reason?: string;
  readonly by?: string;
  readonly atUnixMs?: number;
  /** When a drain ends whatever happens. */
  readonly deadlineAtUnixMs?: number;
  /** When the wish itself ends and `enabled` returns. */
  readonly untilUnixMs?: number;
}

/** Progress of a drain or stop. */
export interface DrainProgress {
  readonly sinceUnixMs: number;
  readonly sessionsLeft: number;
  /** How long the oldest of the sessions that the workers count has been known; absent when they count none. */
  readonly oldestSessionMs?: number;
  readonly inFlight: number;
  readonly tunnels: number;
  readonly isDone: boolean;
  /** Workers that have not confirmed yet; while one is missing the drain is not done early. */
  readonly waitingFor: readonly string[];
}

export interface NodeResource {
  readonly id: NodeId;
  readonly balancer: BalancerName;
  readonly url: NodeUrl;
  readonly route: Route;
  readonly hosts: readonly HostPattern[];
  readonly contexts: readonly { readonly path: ContextPath; readonly status: Status }[];
  readonly group?: GroupName;
  readonly weight: number;
  readonly isStandby: boolean;
  readonly isStatic: boolean;
  readonly redirectTo?: NodeId;
  readonly incarnation: number;
  /** The process that registered it, by its own report. */
  readonly process?: NodeProcess;
  readonly version?: string;
  readonly meta: Readonly<Record<string, string>>;
  /** The most restrictive of what operator and node want. */
  readonly status: Status;
  /** The operator's wish. */
  readonly wanted: WantedStatus;
  /** The node's own wish. */
  readonly reported: WantedStatus;
  readonly liveness: Liveness;
  /** Why the node is not up, in words. */
  readonly livenessReason?: string;
  /** False: the node says that new work should go elsewhere. */
  readonly isReady: boolean;
  /**
   * It came back so often that it is called flapping; absent: no. `count` returns, the first three within ten minutes. Until `heldUntilUnixMs`
   * new sessions go elsewhere while a ready node is there; absent: that is over.
   */
  readonly flapping?: { readonly count: number; readonly sinceUnixMs: number; readonly heldUntilUnixMs?: number };
  /** What the workers see. */
  readonly observed: {
    readonly isEjected: boolean;
    readonly ejectedBy: readonly string[];
    readonly requests: number;
    readonly failures: number;
    readonly serverErrors: number;
    readonly latencyMs: number;
    readonly bytesToNode: number;
    readonly bytesFromNode: number;
    /** What each connected worker last said of the node's port. */
    readonly ports: readonly { readonly worker: string; readonly port: PortReport }[];
    /** Requests that wait for the node to answer. */
    readonly parked: number;
    /** Sessions that were moved away from it, by cause; causes without any are absent. */
    readonly failovers: Partial<Readonly<Record<FailoverCause, number>>>;
  };
  /** 0 idle … 1 full; absent when never reported. */
  readonly load?: number;
  /** 0–100, higher is freer, 0 is standby. */
  readonly loadFactor: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly sessions: number;
  /** Who counted the sessions. */
  readonly sessionsFrom: 'node' | 'workers';
  readonly newSessions: number;
  readonly inFlight: number;
  readonly tunnels: number;
  readonly registeredAtUnixMs: number;
  /** Milliseconds since the last heartbeat; -1 for static members. */
  readonly silentMs: number;
  readonly goneAtUnixMs?: number;
  readonly drain?: DrainProgress;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

/** Answer to `GET /v1/nodes`: at most 1,000 of them, in order of their ids. */
export interface NodesResource {
  readonly nodes: readonly NodeResource[];
  /** There are more: they begin after this id (`?after=`). */
  readonly next?: string;
}

/** A metric of a node in an explanation. */
export interface ExplainedMetric {
  readonly name: string;
  /** As measured; absent when the node does not tell values. */
  readonly value?: number;
  /** Absent for counts and ratios. */
  readonly unit?: string;
  /** The value that means full; with `isSoft` half full. Absent, as the weight is, when the node does not tell scales. */
  readonly capacity?: number;
  readonly weight?: number;
  readonly isSoft?: boolean;
  /** The load is at least its part; it takes part in the weighted mean; it is only shown; the node does not say. */
  readonly role: 'limit' | 'mean' | 'shown' | 'unknown';
  /** Part of the load now, 0 … 1. */
  readonly part: number;
  /** The same over the last ten reports, the newest counting most. */
  readonly mean: number;
  /** The load is what it is because of this one. */
  readonly isDecisive: boolean;
}

/** What of its balancer's a node has, and what it would have if all were alike but for their weights. */
export interface ExplainedShare {
  /** Requests per second, or sessions. */
  readonly count: number;
  /** 0 … 1 of all nodes of the balancer; 0 when there are none. */
  readonly share: number;
  /** 0 … 1; 0 for a node that gets no new sessions. */
  readonly fairShare: number;
}

/** Why the load factor of a node and its part of the traffic are what they are. */
export interface NodeExplanation {
  readonly id: NodeId;
  readonly balancer: BalancerName;
  /** Sentences for people, the most important first. */
  readonly because: readonly string[];
  /** 0 idle … 1 full, as last told; absent when never told. */
  readonly load?: number;
  /** The same over the last ten reports, the newest counting most. */
  readonly meanLoad?: number;
  /** 100 · (1 − mean load), 1–100; 0 for standby, 50 when no load was ever told. */
  readonly loadFactor: number;
  /** Age of the last report with numbers, milliseconds; -1 when there was none. */
  readonly toldMs: number;
  /** As the node tells; absent when it does not. */
  readonly inFlight?: number;
  readonly serviceMs?: number;
  /** In the order the node tells them. */
  readonly metrics: readonly ExplainedMetric[];
  /** Of the last seconds. */
  readonly requests: ExplainedShare;
  readonly sessions: ExplainedShare;
}

export interface BalancerResource {
  readonly name: BalancerName;
  readonly algorithm: string;
  readonly sessionAlgorithm: string;
  readonly sticky: StickySettings;
  readonly retries: number;
  readonly sessionIdleMs: number;
  readonly assign: boolean;
  /** Where each setting comes from: `operator`, `flag`, `environment`, `file`, `node ID`, `default`. */
  readonly origins: Readonly<Record<string, string>>;
  readonly nodes: number;
  readonly nodesUp: number;
  readonly sessions: number;
  readonly inFlight: number;
  readonly contexts: readonly { readonly host: HostPattern; readonly path: ContextPath }[];
}

/** Answer to `GET /v1/balancers`: at most 1,000 of them, in order of their names. */
export interface BalancersResource {
  readonly balancers: readonly BalancerResource[];
  /** There are more: they begin after this name (`?after=`). */
  readonly next?: string;
}

export interface WorkerResource {
  readonly worker: string;
  readonly pid: number;
  readonly version: string;
  readonly connectedAtUnixMs: number;
  readonly revision: number;
  readonly isCurrent: boolean;
  readonly requests: number;
  readonly inFlight: number;
  readonly connections: number;
  readonly loopDelayMs: number;
  /** Why it gets no feed, for a worker of another version; then it has no numbers. */
  readonly refused?: string;
}

/** Why a supervised process was started again: it ended by itself, by a signal, or was ended for its silence. */
export const RESTART_REASONS = ['exit', 'signal', 'no-answer'] as const;
export type RestartReason = (typeof RESTART_REASONS)[number];

/** A process that `rollcall up` keeps running: `control`, `worker`, `worker 1`, `static`. */
export interface ProcessResource {
  readonly name: string;
  /** Absent while it is being started again. */
  readonly pid?: number;
  readonly sinceUnixMs: number;
  /** How often it was started again because it had ended; reloads do not count. */
  readonly restarts: number;
  readonly restartReasons: Readonly<Record<RestartReason, number>>;
  /** Of the last restart: `exit 1`, `SIGKILL`, `no answer for 10 s`. */
  readonly lastReason?: string;
}

/** One restart, as the supervisor reports it to the control process. */
export interface ReplacedProcess {
  /** Increases by one, so that a repeated report is noticed. */
  readonly number: number;
  readonly name: string;
  readonly pid: number;
  readonly detail: string;
  readonly agoMs: number;
}

/**
 * What each quota bounds: nodes of one token; nodes of all peers without a token; balancers that one token has made; distinct hosts and
 * distinct contexts of one balancer; registrations of one node a minute; agent connections without a token from one address.
 */
export const QUOTA_DEFAULTS = {
  nodes: 1_000,
  'tokenless-nodes': 100,
  balancers: 50,
  'balancer-hosts': 256,
  'balancer-contexts': 256,
  registrations: 10,
  'tokenless-connections': 64,
} as const;

/** Largest value of a quota. */
export const MAX_QUOTA = 1_000_000;

export type QuotaName = keyof typeof QUOTA_DEFAULTS;

/** A bound on what one token, one balancer or one address may hold, and the largest use of it now. */
export interface QuotaResource {
  readonly name: QuotaName;
  readonly limit: number;
  readonly used: number;
  /** Token, balancer or address with this use; absent when there is none. */
  readonly by?: string;
}

export interface StatusResource {
  readonly name: string;
  readonly version: string;
  readonly node: string;
  readonly epoch: string;
  readonly revision: number;
  readonly isSettled: boolean;
  readonly startedAtUnixMs: number;
  readonly nowUnixMs: number;
  /** Milliseconds the learning window stays open. */
  readonly learningMs: number;
  readonly proxy: string;
  readonly control: string;
  /** Certificate of the control port; absent without TLS. */
  readonly controlCertificate?: { readonly path: string; readonly endsAtUnixMs: number };
  readonly store: {
    readonly kind: string;
    readonly isReachable: boolean;
    readonly sinceUnixMs: number;
    readonly lastError?: string;
    /** Changed records that the store does not have yet. */
    readonly waiting: number;
  };
  /** The directory for tokens and the store. While it cannot be written, its state is kept in memory. */
  readonly state: {
    readonly directory: string;
    readonly isWritable: boolean;
    /** Since when it cannot be written. */
    readonly sinceUnixMs?: number;
    readonly lastError?: string;
  };
  readonly workers: readonly WorkerResource[];
  /** Processes of `rollcall up`; empty for a coordinator without a supervisor. */
  readonly processes: readonly ProcessResource[];
  /** `up` leaves out nodes that every connected worker has given up; `suspect` includes them. */
  readonly nodes: {
    readonly up: number;
    readonly suspect: number;
    readonly joining: number;
    readonly down: number;
    readonly gone: number;
  };
  /** Settable with `up --quota NAME=N`. */
  readonly quotas: readonly QuotaResource[];
  /** Requests that wait for a node, and how long the oldest of them has, milliseconds. */
  readonly parked: { readonly requests: number; readonly oldestMs: number };
  /** Contexts that no node can serve now, with the cause and what to do. */
  readonly unserved: readonly UnservedContext[];
  /** Contexts that have lost their last node and are answered with 503 for ten minutes, the oldest first; at most 1,000. */
  readonly remembered: readonly RememberedContextResource[];
  readonly sessions: number;
  readonly totals: {
    readonly requests: number;
    readonly failed: number;
    readonly retries: number;
    readonly failovers: number;
    /** Movable sessions that have left a hot node. */
    readonly moved: number;
    readonly unavailable: number;
    readonly bytesIn: number;
    readonly bytesOut: number;
  };
  readonly requestsPerSecond: number;
  /** Sentences an operator should read. */
  readonly advice: readonly string[];
}

/** A context that has lost its last node. */
export interface RememberedContextResource {
  readonly balancer: BalancerName;
  readonly host: HostPattern;
  readonly path: ContextPath;
  /** When its last node went. */
  readonly sinceUnixMs: number;
}

/** Contexts without nodes to forget: all without `path`, those of every host without `host`. */
export interface ForgetBody {
  readonly path?: string;
  readonly host?: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
}

export interface ForgetResult {
  /** What the coordinator remembered of them. */
  readonly contexts: readonly RememberedContextResource[];
  readonly isChanged: boolean;
  readonly isDryRun: boolean;
  readonly message: string;
  /** What else there is to say. */
  readonly note?: string;
}

/** A context without a node for new work. */
export interface UnservedContext {
  readonly balancer: BalancerName;
  readonly host: HostPattern;
  readonly path: ContextPath;
  readonly cause: UnservedCause;
  /** One sentence: what has happened. */
  readonly message: string;
  /** One sentence: what to do, with the command where there is one. */
  readonly remedy: string;
}

/**
 * Why a context has no node for new work. `never`: no node has registered. `links-closed`: the agents of all nodes lost their connections
 * within a few seconds, and no worker reaches them. `unresponsive`: the nodes are there and do not answer. `crashed`: their ports refuse.
 * `expired`: no sign of life for a lease. `left`, `removed`, `drained` and `stopped` were meant. `unreachable`: registered, and never reached.
 */
export type UnservedCause =
  | 'never'
  | 'unreachable'
  | 'links-closed'
  | 'unresponsive'
  | 'crashed'
  | 'expired'
  | 'left'
  | 'removed'
  | 'drained'
  | 'stopped';

/** One line of the cluster's history. */
export interface EventResource {
  /** Increases by one; also the SSE id. */
  readonly id: number;
  readonly atUnixMs: number;
  readonly type: string;
  readonly node?: NodeId;
  readonly balancer?: BalancerName;
  /** One sentence. */
  readonly message: string;
  readonly by?: string;
}

/** Most characters of a reason. */
export const MAX_REASON_CHARACTERS = 256;
/** The longest deadline and the longest time of an operator's wish: 31 days. */
export const MAX_WISH_MS: number = 31 * 86_400_000;
/** The term of a registration that has to be repeated. */
export const TTL_MS: { readonly min: number; readonly max: number } = { min: 1_000, max: 3_600_000 };

/** Body of `POST …/drain|enable|stop`. */
export interface StatusBody {
  readonly reason?: string;
  /** A drain ends after this long whatever happens. */
  readonly deadlineMs?: number;
  /** The wish itself ends after this long. */
  readonly forMs?: number;
  /** Say what would happen and do nothing. */
  readonly dryRun?: boolean;
}

/** Answer to a write. */
export interface WriteResult {
  /** Nodes the write is about, as they are after it. */
  readonly nodes: readonly NodeResource[];
  readonly isChanged: boolean;
  readonly isDryRun: boolean;
  readonly message: string;
  /** The change is in force and the store does not have it yet: it is lost if the coordinator ends before. `message` gives the cause. */
  readonly pending?: true;
  /** For the operator: the change is in force and not in the audit, or another node is registered at the address. */
  readonly note?: string;
}

/** Answer to `POST /v1/reload` and `POST /v1/rotate`. */
export interface ReloadResult {
  /** What has changed, in one line. */
  readonly message: string;
  /** One sentence for the operator, when it is done and not in the audit. */
  readonly note?: string;
}

/** Body of `POST /v1/balancers/:name/scale`. */
export interface ScaleBody {
  /** Nodes of the balancer in all, 1–1,000. */
  readonly count: number;
  readonly reason?: string;
  readonly dryRun?: boolean;
}

/** Body of `PATCH /v1/nodes/:id`; `null` takes an override back. */
export interface NodePatch {
  readonly weight?: number | null;
  readonly standby?: boolean | null;
  readonly redirectTo?: string | null;
  readonly reason?: string;
  readonly dryRun?: boolean;
}

/** Body of `PUT /v1/nodes/:id`; `id` comes from the path. */
export interface NodePut {
  readonly balancer?: string;
  readonly url: string;
  readonly route?: string;
  readonly contexts?: readonly string[];
  readonly hosts?: readonly string[];
  readonly weight?: number;
  readonly group?: string;
  /** A lease that repeating the PUT renews; absent: a static member. 1,000–3,600,000. */
  readonly ttlMs?: number;
  readonly load?: number;
  readonly sessions?: number;
  /** Replace a node of this id that is registered at another address. Default false: 409 `conflict`. */
  readonly replace?: boolean;
  /** Where clients may reach the node directly, for `assign`. */
  readonly publicUrl?: string;
  /** What the node would say of its balancer's settings; the first node decides, unless an operator has. */
  readonly sticky?: StickyHint;
}

/** Body of `PATCH /v1/balancers/:name`; `null` takes an override back. */
export interface BalancerPatch {
  readonly algorithm?: string | null;
  readonly sessionAlgorithm?: string | null;
  readonly retries?: number | null;
  readonly sessionIdleMs?: number | null;
  /** Clients may ask which node to connect to directly. */
  readonly assign?: boolean | null;
  readonly sticky?: {
    readonly mode?: StickyMode | null;
    readonly cookies?: readonly string[] | null;
    readonly parameters?: readonly string[] | null;
    readonly failover?: Failover | null;
    readonly remove?: boolean | null;
    readonly movable?: boolean | null;
  };
  readonly reason?: string;
  readonly dryRun?: boolean;
}

/** Body of `POST /v1/decisions`. */
export interface DecisionsBody {
  /** 1–100, default 20. */
  readonly count?: number;
  /** 1–30,000, default 5,000. */
  readonly forMs?: number;
  /** Leave out requests that went where their session is. Default false. */
  readonly onlyPicks?: boolean;
}

/** Body of `POST /v1/explain`. */
export interface ExplainBody {
  readonly host?: string;
  /** Path and query of the request to explain. */
  readonly target?: string;
  /** The `Cookie` field's value; used for this answer and then forgotten. */
  readonly cookie?: string;
}

/** RFC 9457, media type `application/problem+json`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

/** What a token may do; each includes those before it, except that `join` and `proxy` stand alone. */
export type Role = 'join' | 'proxy' | 'viewer' | 'operator' | 'admin';
