/**
 * Resources and bodies of the admin API, shared by coordinator, dashboard and CLI. All instants are wall clock Unix
 * milliseconds, all durations milliseconds. `openapi.json` on the control port describes the same API.
 */

import type { BalancerName, ContextPath, GroupName, HostPattern, NodeId, NodeUrl, Route } from './ids.ts';
import type {
  ContextEntry,
  FailingCopy,
  Failover,
  NodeProcess,
  Status,
  StickyHint,
  StickyMode,
  StickySettings,
} from './messages.ts';
import type { FailoverCause, FeedLiveness, PortReport } from './node-states.ts';
import type { Verdict } from './problems.ts';
import type { RouteCookiePatch } from './route-cookie.ts';
import type { BalancerLimits, LimitsPatch } from './time-limits.ts';
import type { Where } from './where.ts';

/** Prefix of the login cookie's name; the port of the control listener follows. Nodes never receive or set this cookie. */
export const LOGIN_COOKIE_PREFIX = 'rollcall_login_';
/** Request field with the key of a login. The pages keep it in the storage of their origin; the cookie alone only gives access to the pages. */
export const PAGE_KEY_FIELD = 'rollcall-page-key';

/** A browser that is logged in. */
export interface LoginResource {
  readonly id: string;
  readonly createdAtUnixMs: number;
  /** Twelve hours later. */
  readonly expiresAtUnixMs: number;
  /** Address of the browser. */
  readonly from: string;
  /** `User-Agent` of the browser, at most 200 characters. */
  readonly agent: string;
  /** The request that reads this resource belongs to this login. */
  readonly isCurrent: boolean;
}

/** Answer to `GET /v1/logins`. */
export interface LoginsResource {
  readonly logins: readonly LoginResource[];
}

/** Answer to `POST /v1/login-link`: a one-time link that logs a browser in. */
export interface LoginLink {
  readonly url: string;
}

/** Presence of a node. `joining`: being probed. `gone`: only remembered. `down`: a static member that does not answer. */
export type Liveness = 'joining' | FeedLiveness | 'gone';

/** Status that an operator or a node requests, with its reason, author, start and end. */
export interface WantedStatus {
  readonly status: Status;
  readonly reason?: string;
  readonly by?: string;
  readonly atUnixMs?: number;
  /** End of a drain, even if sessions remain. */
  readonly deadlineAtUnixMs?: number;
  /** End of the request itself; the status is `enabled` afterwards. */
  readonly untilUnixMs?: number;
}

/**
 * How a drain ended. `empty`: no session and no request is left, so that the node may be stopped. `deadline-over`: its deadline ended it with
 * sessions left. `killed`: the node is gone, and its sessions are lost.
 */
export type DrainOutcome = 'empty' | 'deadline-over' | 'killed';

/** Progress of a drain or stop. */
export interface DrainProgress {
  readonly sinceUnixMs: number;
  /** Sessions that were seen again. The drain waits for them. */
  readonly sessionsLeft: number;
  /** Sessions left that were seen once. The drain does not wait for them. */
  readonly sessionsSeenOnce: number;
  /**
   * Least age of the oldest session that the workers have seen again; absent when there is none. True to about 2 s, except for sessions
   * that are older than the coordinator: they count from its start.
   */
  readonly oldestSessionMs?: number;
  /**
   * Sessions of `sessionsLeft` that a request has used within the last minute, as the workers of this coordinator see it. A session at two
   * workers counts twice. Absent in the first minute of a drain, and while a worker of an earlier release is connected.
   */
  readonly usedInLastMinute?: number;
  /** Estimate of the end, from the decay of the sessions over the last minutes; absent while it is unknown. */
  readonly emptyAtUnixMs?: number;
  readonly inFlight: number;
  readonly tunnels: number;
  readonly isDone: boolean;
  /**
   * Workers and coordinators that have not confirmed yet: until all have, the drain only ends at its deadline. Of a drain that its deadline
   * ended: those whose counts were unknown then.
   */
  readonly waitingFor: readonly string[];
}

/** A drain of one node: in progress, or ended within the last hour. */
export interface DrainResource {
  readonly node: NodeId;
  readonly balancer: BalancerName;
  /** Token name of the operator; absent: the node itself requests the drain. */
  readonly by?: string;
  readonly reason?: string;
  readonly sinceUnixMs: number;
  readonly deadlineUnixMs?: number;
  /** See `DrainProgress`. Of an ended drain: as of its end. */
  readonly sessionsLeft: number;
  readonly sessionsSeenOnce: number;
  readonly usedInLastMinute?: number;
  readonly oldestMs?: number;
  readonly inFlight: number;
  readonly tunnels: number;
  readonly emptyAtUnixMs?: number;
  /** Workers and coordinators whose counts are missing; absent for none. */
  readonly waitingFor?: readonly string[];
  /** Absent while the drain continues. */
  readonly outcome?: DrainOutcome;
  readonly endedAtUnixMs?: number;
  /** Only of a killed node. */
  readonly sessionsLost?: number;
}

/** Answer to `GET /v1/drains`: at most 1,000 drains, in order of their nodes. */
export interface DrainsResource {
  readonly drains: readonly DrainResource[];
  /** Node after which the next page begins (`?after=`); absent: this is the last page. */
  readonly next?: string;
}

/** Body of `PATCH /v1/drains/:node`. */
export interface DrainPatch {
  /** Time from now after which the drain ends, even if sessions remain; `null`: no deadline. */
  readonly deadlineMs: number | null;
  readonly reason?: string;
  readonly dryRun?: boolean;
}

/** Body of `POST /v1/drains/:node/end`. */
export interface DrainEndBody {
  readonly reason?: string;
  readonly dryRun?: boolean;
  /** Also when fewer eligible nodes are left than the budget of the balancer. Default false: 409. */
  readonly force?: boolean;
}

/**
 * `gone`: it left, its term is over, or an operator has removed it. `missing`: gone without leave, as after a crash. It stays listed until it
 * returns, or until an operator has acknowledged it and 24 hours have passed.
 */
export type ShownLiveness = Liveness | 'missing';

/** True for a node that is neither gone nor missing. */
export function isPresent({ liveness }: { readonly liveness: ShownLiveness }): boolean {
  return liveness !== 'gone' && liveness !== 'missing';
}

export interface NodeResource {
  readonly id: NodeId;
  readonly balancer: BalancerName;
  readonly url: NodeUrl;
  readonly route: Route;
  readonly hosts: readonly HostPattern[];
  /** A context has an entry for each status that it has on some of its hosts. */
  readonly contexts: readonly (ContextEntry & { readonly status: Status })[];
  readonly group?: GroupName;
  readonly weight: number;
  readonly isStandby: boolean;
  readonly isStatic: boolean;
  /** True if the proxy takes the context off the path of requests for this node. Absent: false. */
  readonly stripPrefix?: boolean;
  readonly redirectTo?: NodeId;
  readonly incarnation: number;
  /** Process that registered the node, as it described itself. */
  readonly process?: NodeProcess;
  readonly version?: string;
  readonly meta: Readonly<Record<string, string>>;
  /** The more restrictive of `wanted` and `reported`. */
  readonly status: Status;
  /** Status that the operator requests. `enabled`: no request, so that it has neither reason nor requester. */
  readonly wanted: WantedStatus;
  /** Status that the node itself requests. */
  readonly reported: WantedStatus;
  readonly liveness: ShownLiveness;
  /** Reason why the node is not up, for people. */
  readonly livenessReason?: string;
  /** Names of the coordinators that receive its heartbeats, while it has no connection to this one. Its load is unknown here. */
  readonly heardBy?: readonly string[];
  /** Path that answers below 500 while the node is ready, as registered. */
  readonly readyPath?: string;
  /** False: new work should go to other nodes, by a report of the node or by its ready path. */
  readonly isReady: boolean;
  /** Why it is not ready, to follow "it": the answer of the ready path, or the report of the node. */
  readonly readyReason?: string;
  /**
   * Present while the node is flapping: it has returned too often. `count` returns, the first three within ten minutes. Until `heldUntilUnixMs`
   * new sessions go to other nodes while one is ready; absent: this period is over.
   */
  readonly flapping?: { readonly count: number; readonly sinceUnixMs: number; readonly heldUntilUnixMs?: number };
  /** Observations of the workers. */
  readonly observed: {
    /** About the last 30 seconds, weighted: requests, and the ratio of them that failed or were answered with 500 and above. */
    readonly recent: { readonly requests: number; readonly errorRatio: number };
    /** The last ejection within ten minutes; it may be over. `count` ejections in this time. */
    readonly ejection?: { readonly reason: string; readonly sinceUnixMs: number; readonly count: number };
    readonly isEjected: boolean;
    readonly ejectedBy: readonly string[];
    readonly requests: number;
    readonly failures: number;
    readonly serverErrors: number;
    readonly latencyMs: number;
    readonly bytesToNode: number;
    readonly bytesFromNode: number;
    /** Last report of each connected worker about the node's port. */
    readonly ports: readonly { readonly worker: string; readonly port: PortReport }[];
    /** Requests that wait for the node to answer. */
    readonly parked: number;
    /** Sessions that were moved away from the node, by cause; causes without sessions are absent. */
    readonly failovers: Partial<Readonly<Record<FailoverCause, number>>>;
  };
  /** 0 idle … 1 full; absent when never reported. */
  readonly load?: number;
  /** 0–100, higher is freer, 0 is standby; absent when no load was ever reported. */
  readonly loadFactor?: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** Active sessions that were seen again: a request has sent the id of the session. */
  readonly sessions: number;
  /** Active sessions that were seen once: an answer has opened the session, and no request has sent its id. */
  readonly sessionsSeenOnce: number;
  /** Source of the sum of both; which of them were seen again is the count of the workers. */
  readonly sessionsFrom: 'node' | 'workers';
  readonly newSessions: number;
  readonly inFlight: number;
  readonly tunnels: number;
  readonly registeredAtUnixMs: number;
  /** Milliseconds since the last heartbeat; -1 for static members. */
  readonly silentMs: number;
  readonly goneAtUnixMs?: number;
  /** An operator knows that it is missing: it is forgotten 24 hours after `goneAtUnixMs`. */
  readonly acknowledged?: { readonly by: string; readonly reason?: string; readonly atUnixMs: number };
  readonly drain?: DrainProgress;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

/** Answer to `GET /v1/nodes`: at most 1,000 nodes, in order of their ids. */
export interface NodesResource {
  readonly nodes: readonly NodeResource[];
  /** Id after which the next page begins (`?after=`); absent: this is the last page. */
  readonly next?: string;
}

/** A metric of a node in an explanation. */
export interface ExplainedMetric {
  readonly name: string;
  /** Measured value; absent when the node does not report values. */
  readonly value?: number;
  /** Absent for counts and ratios. */
  readonly unit?: string;
  /** The value that means full; with `isSoft` half full. Absent, like `weight`, when the node does not report scales. */
  readonly capacity?: number;
  readonly weight?: number;
  readonly isSoft?: boolean;
  /** `limit`: the load is at least `part`. `mean`: in the weighted mean. `shown`: only displayed. `unknown`: the node does not report scales. */
  readonly role: 'limit' | 'mean' | 'shown' | 'unknown';
  /** Part of the load now, 0 … 1. */
  readonly part: number;
  /** The same over the last ten reports, the newest counting most. */
  readonly mean: number;
  /** This metric determines the load. */
  readonly isDecisive: boolean;
}

/** A node's share of its balancer, and its fair share: the share by weight if all nodes were otherwise equal. */
export interface ExplainedShare {
  /** Requests per second, or sessions. */
  readonly count: number;
  /** 0 … 1 of all nodes of the balancer; 0 when there are none. */
  readonly share: number;
  /** 0 … 1; 0 for a node that gets no new sessions. */
  readonly fairShare: number;
}

/** Explains the load factor of a node and its share of the traffic. */
export interface NodeExplanation {
  readonly id: NodeId;
  readonly balancer: BalancerName;
  /** Sentences for people, the most important first. */
  readonly because: readonly string[];
  /** 0 idle … 1 full, as last reported; absent when never reported. */
  readonly load?: number;
  /** The same over the last ten reports, the newest counting most. */
  readonly meanLoad?: number;
  /** 100 · (1 − mean load), 1–100; 0 for standby; absent when no load was ever reported. */
  readonly loadFactor?: number;
  /** Age of the last report with numbers, milliseconds; -1 when there was none. */
  readonly toldMs: number;
  /** As the node reports; absent when it does not. */
  readonly inFlight?: number;
  readonly serviceMs?: number;
  /** In the order of the node's report. */
  readonly metrics: readonly ExplainedMetric[];
  /** Of the last seconds. */
  readonly requests: ExplainedShare;
  /** Sessions that were seen again. */
  readonly sessions: ExplainedShare;
  readonly sessionsSeenOnce: number;
}

export interface BalancerResource {
  readonly name: BalancerName;
  readonly algorithm: string;
  readonly sessionAlgorithm: string;
  readonly sticky: StickySettings;
  readonly retries: number;
  readonly sessionIdleMs: number;
  /** Smallest number of eligible nodes that a write leaves in a context without being forced, 0–1,000. 0: no budget. */
  readonly minEligible: number;
  readonly assign: boolean;
  /** Time limits of the balancer and of paths within it; absent without any. Other limits are those of the proxy. */
  readonly limits?: BalancerLimits;
  /** Where each setting comes from: `operator`, `flag`, `environment`, `file`, `node ID`, `default`. */
  readonly origins: Readonly<Record<string, string>>;
  readonly nodes: number;
  readonly nodesUp: number;
  readonly sessions: number;
  readonly sessionsSeenOnce: number;
  readonly inFlight: number;
  readonly contexts: readonly { readonly host: HostPattern; readonly path: ContextPath }[];
  /** Absent when no connected wrapper keeps copies. */
  readonly copies?: CopiesResource;
}

/** What the wrappers of a balancer keep, and what came up. */
export interface CopiesResource {
  /** Nodes that the balancer has when every copy is up: the copies that wrappers keep, and all other nodes. */
  readonly wanted: number;
  /** Copies that wrappers keep, as an operator or they themselves have set it. */
  readonly kept: number;
  readonly wrappers: number;
  /** Nodes that are up and enabled. */
  readonly up: number;
  /** Nodes that are up and that an operator has drained or stopped. They are part of `wanted`. */
  readonly drained: number;
  /** Failing copies by host and number, at most the first `MAX_FAILING_COPIES`. */
  readonly failing: readonly FailingCopyResource[];
}

export interface FailingCopyResource extends FailingCopy {
  /** Host of its wrapper; absent if unknown. */
  readonly host?: string;
}

/** Answer to `GET /v1/balancers`: at most 1,000 balancers, in order of their names. */
export interface BalancersResource {
  readonly balancers: readonly BalancerResource[];
  /** Name after which the next page begins (`?after=`); absent: this is the last page. */
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
  /** Reason why a worker of another version gets no feed; it then has no numbers. */
  readonly refused?: string;
}

/** Reason why a supervised process was restarted: it exited, ended by a signal, or was ended because it did not answer. */
export const RESTART_REASONS = ['exit', 'signal', 'no-answer'] as const;
export type RestartReason = (typeof RESTART_REASONS)[number];

/** A process that `rollcall up` keeps running: `control`, `worker`, `worker 1`, `static`. */
export interface ProcessResource {
  readonly name: string;
  /** Absent during a restart. */
  readonly pid?: number;
  readonly sinceUnixMs: number;
  /** Number of restarts after an end of the process; reloads do not count. */
  readonly restarts: number;
  readonly restartReasons: Readonly<Record<RestartReason, number>>;
  /** Of the last restart: the error of the process, or `exit 1`, `SIGKILL`, `no answer for 10 s`. */
  readonly lastReason?: string;
  /** The process serves. Absent from supervisors of earlier releases. */
  readonly isServing?: boolean;
  /** Number of ends in a row before the process had served for 5 s. Absent from supervisors of earlier releases. */
  readonly failedStarts?: number;
  /** Certificates of the TLS port that a worker uses; absent without one. */
  readonly certificates?: readonly CertificateResource[];
}

/** A certificate of the TLS port. */
export interface CertificateResource {
  readonly path: string;
  readonly names: readonly string[];
  readonly endsAtUnixMs: number;
  /** Why the present files cannot be used. The certificate that was read before is in use. */
  readonly problem?: string;
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
 * Default limits of the quotas.
 *
 * - `nodes`: nodes of one token. `tokenless-nodes`: nodes of all peers without a token.
 * - `balancers`: balancers that one token has created.
 * - `balancer-hosts`, `balancer-contexts`: distinct hosts and distinct contexts of one balancer.
 * - `registrations`: registrations of one node a minute.
 * - `tokenless-connections`: agent connections without a token from one address.
 */
export const QUOTA_DEFAULTS = {
  nodes: 1_000,
  'tokenless-nodes': 100,
  balancers: 50,
  'balancer-hosts': 256,
  'balancer-contexts': 1_024,
  registrations: 10,
  'tokenless-connections': 64,
} as const;

/** Largest value of a quota. */
export const MAX_QUOTA = 1_000_000;

export type QuotaName = keyof typeof QUOTA_DEFAULTS;

/** Limit of one token, one balancer or one address, and its largest present use. */
export interface QuotaResource {
  readonly name: QuotaName;
  readonly limit: number;
  readonly used: number;
  /** Token, balancer or address with the largest use; absent when `used` is 0. */
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
  /** Remaining time of the learning window, milliseconds. */
  readonly learningMs: number;
  readonly proxy: string;
  readonly control: string;
  /** Certificate of the control port; absent without TLS. */
  readonly controlCertificate?: Omit<CertificateResource, 'names'>;
  readonly store: {
    readonly kind: string;
    readonly isReachable: boolean;
    readonly sinceUnixMs: number;
    readonly lastError?: string;
    /** Changed records that the store does not have yet. */
    readonly waiting: number;
  };
  /** Memory that the coordinators of the cluster share; absent for the only one. */
  readonly sharing?: SharingResource;
  /** Directory of the tokens and the store. While it is not writable, its state is kept in memory. */
  readonly state: {
    readonly directory: string;
    readonly isWritable: boolean;
    /** Start of the period in which it is not writable. */
    readonly sinceUnixMs?: number;
    readonly lastError?: string;
  };
  readonly workers: readonly WorkerResource[];
  /** Processes of `rollcall up`; empty for a coordinator without a supervisor. */
  readonly processes: readonly ProcessResource[];
  /** `up` excludes nodes that every connected worker has given up; `suspect` includes them. */
  readonly nodes: {
    readonly up: number;
    readonly suspect: number;
    readonly joining: number;
    readonly down: number;
    readonly missing: number;
    readonly gone: number;
  };
  /** Settable with `up --quota NAME=N`. */
  readonly quotas: readonly QuotaResource[];
  /** Requests that wait for a node, and the wait of the oldest one, milliseconds. */
  readonly parked: { readonly requests: number; readonly oldestMs: number };
  /** Contexts that no node can serve now, with the cause and what to do. */
  readonly unserved: readonly UnservedContext[];
  /** Contexts that have lost their last node and are answered with 503 for ten minutes, the oldest first; at most 1,000. */
  readonly remembered: readonly RememberedContextResource[];
  readonly sessions: number;
  readonly sessionsSeenOnce: number;
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
  /** Everything that is wrong. Figures are those of the workers of this coordinator. */
  readonly verdict: Verdict;
  /** Sentences an operator should read. */
  readonly advice: readonly string[];
}

/** A context that has lost its last node. */
export interface RememberedContextResource {
  readonly balancer: BalancerName;
  readonly host: HostPattern;
  readonly path: ContextPath;
  /** Time at which its last node left. */
  readonly sinceUnixMs: number;
}

/** Contexts without nodes to forget. Without `path`: all contexts. Without `host`: `path` on every host. */
export interface ForgetBody {
  readonly path?: string;
  readonly host?: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
}

export interface ForgetResult {
  /** For the audit, and `POST /v1/undo` if it can be undone; absent when nothing has changed. */
  readonly changeId?: string;
  /** Contexts without a node that the coordinator has forgotten, or would forget: at most 1,000. */
  readonly contexts: readonly RememberedContextResource[];
  readonly isChanged: boolean;
  readonly isDryRun: boolean;
  readonly message: string;
  /** Where the change is in force; absent for the only coordinator of a cluster. */
  readonly coordinators?: AppliedResource;
  /** Additional sentence for the operator. */
  readonly note?: string;
}

/** A context without a node for new work. */
export interface UnservedContext {
  readonly balancer: BalancerName;
  readonly host: HostPattern;
  readonly path: ContextPath;
  readonly cause: UnservedCause;
  /** One sentence: the event. */
  readonly message: string;
  /** One sentence: the required action, with the command where one exists. */
  readonly remedy: string;
  /**
   * The context that gets its requests in the meantime, because no node has served it yet, or not for ten minutes. Absent: they get 503, or
   * 404 if no context encloses it.
   */
  readonly answeredBy?: { readonly balancer: BalancerName; readonly host: HostPattern; readonly path: ContextPath };
}

/**
 * Why a context has no node for new work. `never`: no node has registered. `links-closed`: the agents of all nodes lost their connections
 * within a few seconds, and no worker reaches them. `unresponsive`: the nodes are present and do not answer. `crashed`: their ports refuse.
 * `expired`: no sign of life for a lease. `left`, `removed`, `drained` and `stopped`: intended. `unreachable`: registered, and never reached.
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

/** Answer to `GET /v1/events`. */
export interface EventsResource {
  /** Oldest first. */
  readonly events: readonly EventResource[];
}

/** Memory that the coordinators of a cluster share, as one of them has it. */
export interface SharingResource {
  readonly kind: string;
  /** Name of the cluster in it: only coordinators with the same name share. Absent: it has no names. */
  readonly cluster?: string;
  readonly isReachable: boolean;
  /** Start of the present period in which it is reachable, or is not. */
  readonly sinceUnixMs: number;
  readonly lastError?: string;
  /** Why nothing is shared although it answers. */
  readonly refusal?: string;
  /** Changed records that it does not have yet. */
  readonly waiting: number;
  /** Records that this release cannot read. */
  readonly unreadable: number;
  /** Records that were not taken, because this coordinator holds as many as it may. */
  readonly leftOut: number;
  /** This coordinator first. */
  readonly coordinators: readonly CoordinatorResource[];
}

/** One coordinator of a cluster. */
export interface CoordinatorResource {
  readonly id: string;
  /** For people. */
  readonly name: string;
  readonly release: string;
  /** Address that it announces to agents, `ws://…` or `wss://…`. Absent: it announces none. */
  readonly url?: string;
  readonly isOwn: boolean;
  /** `unknown`: the shared memory does not answer, so that no coordinator judges another. */
  readonly liveness: 'running' | 'down' | 'unknown';
}

/** Answer to `GET /v1/coordinators`. */
export interface CoordinatorsResource {
  /** This coordinator first; empty for the only one of its cluster. */
  readonly coordinators: readonly CoordinatorResource[];
}

/** Where a request of an operator is in force, by the names of the coordinators. */
export interface AppliedResource {
  readonly applied: readonly string[];
  /** They run and do not have it yet, or it is not known whether they have it. */
  readonly pending: readonly string[];
  /** They are down. They take it when they are back. */
  readonly absent: readonly string[];
}

/** Most characters of a reason. */
export const MAX_REASON_CHARACTERS = 256;
/** Longest deadline of a drain, and longest duration of a status that an operator requests: 31 days, in milliseconds. */
export const MAX_WISH_MS: number = 31 * 86_400_000;
/** Bounds of the lease of a registration that has to be repeated, milliseconds. */
export const TTL_MS: { readonly min: number; readonly max: number } = { min: 1_000, max: 3_600_000 };

/** Body of `POST …/drain|enable|stop`. */
export interface StatusBody {
  /** Only these contexts, of one node; 1 to 64. Without `deadlineMs` and `forMs`. Default: the whole node. */
  readonly contexts?: readonly string[];
  readonly reason?: string;
  /** Duration after which a drain ends, even if sessions remain. */
  readonly deadlineMs?: number;
  /** Duration after which the request itself ends. */
  readonly forMs?: number;
  /** Report what would happen and change nothing. Default false. */
  readonly dryRun?: boolean;
  /** Also when fewer eligible nodes are left than the budget of the balancer. Default false: 409 `budget` or `nobody-eligible`. */
  readonly force?: boolean;
}

/** Body of `POST /v1/nodes/drain|enable|stop`: a status for all nodes that match. */
export interface SelectedStatusBody extends Omit<StatusBody, 'contexts'> {
  readonly where: Where;
}

/** Busy part of the time of nodes, and their latency. */
export interface LoadOutlook {
  /** Mean over the nodes, 0–1; above 1 when the work exceeds what they can do. */
  readonly utilisation: number;
  /** Absent when not measured, or when the nodes are saturated. */
  readonly p99Ms?: number;
}

/**
 * Effect of a write that takes nodes from new work, for its dry run. It is estimated from arrival rates, loads and latencies of about the
 * last 30 seconds. Of several balancers the one whose other nodes are the busiest afterwards.
 */
export interface WritePreview {
  /** Sessions on the nodes. */
  readonly sessions: number;
  readonly sessionsSeenOnce: number;
  /** Nodes that take the new work: the first 20 in order of their ids. */
  readonly carriedBy: readonly NodeId[];
  /** These nodes now, and with the work of the others. Absent without a basis for an estimate; `sentence` gives the reason. */
  readonly before?: LoadOutlook;
  readonly after?: LoadOutlook;
  readonly isSaturated?: boolean;
  /** Present if the write breaks the budget of the balancer: its `minEligible`, and the eligible nodes that it leaves. */
  readonly budget?: { readonly minEligible: number; readonly eligible: number };
  /** All of it, for people. */
  readonly sentence: string;
}

/** Answer to a write. */
export interface WriteResult {
  /** Nodes that the write concerns, in their state after it. At most the first 1,000 in order of their ids. */
  readonly nodes: readonly NodeResource[];
  /** Number of concerned nodes that are not in `nodes`. Absent: 0. */
  readonly more?: number;
  readonly isChanged: boolean;
  readonly isDryRun: boolean;
  readonly message: string;
  /** For `POST /v1/undo` and the audit; absent when nothing has changed. */
  readonly changeId?: string;
  /** Sentence: the contexts that the write leaves without an eligible node, or would leave. Part of `message`; absent: none. */
  readonly nobodyEligible?: string;
  /** Sentence: the balancers for which the write leaves fewer eligible nodes than their `minEligible`, but some. Part of `message`. */
  readonly belowBudget?: string;
  /** Only of a dry run that takes nodes from new work. `sentence` is part of `message`. */
  readonly preview?: WritePreview;
  /** The change is in force but not in the store yet: it is lost if the coordinator ends before. `message` gives the cause. */
  readonly pending?: true;
  /** Where the change is in force; absent for the only coordinator of a cluster. */
  readonly coordinators?: AppliedResource;
  /** For the operator: the change is in force but not in the audit log, or another node is registered at the address. */
  readonly note?: string;
}

/** Answer to `POST /v1/reload` and `POST /v1/rotate`. */
export interface ReloadResult {
  /** Summary of the changes, in one line. */
  readonly message: string;
  /** One sentence for the operator when the action is done but not in the audit log. */
  readonly note?: string;
}

/** Answer to `POST /v1/balancers/:name/scale`. */
export interface ScaleResult extends WriteResult {
  /** The copies right after the request; later in `GET /v1/balancers/:name`. Absent when no wrapper is connected. */
  readonly copies?: CopiesResource;
}

/** Body of `POST /v1/balancers/:name/scale`. */
export interface ScaleBody {
  /** Total number of nodes of the balancer, 1–1,000. */
  readonly count: number;
  readonly reason?: string;
  readonly dryRun?: boolean;
  /** Also when fewer eligible nodes may be left than the budget of the balancer. Default false: 409 `budget` or `nobody-eligible`. */
  readonly force?: boolean;
}

/** Body of `PATCH /v1/nodes/:id`; `null` removes an override. */
export interface NodePatch {
  readonly weight?: number | null;
  readonly standby?: boolean | null;
  readonly redirectTo?: string | null;
  readonly reason?: string;
  readonly dryRun?: boolean;
  /** Also when a standby node leaves fewer eligible nodes than the budget of the balancer. Default false: 409 `budget`. */
  readonly force?: boolean;
}

/** Body of `PUT /v1/nodes/:id`; `id` comes from the path. */
export interface NodePut {
  readonly balancer?: string;
  readonly url: string;
  readonly route?: string;
  /** Paths, or objects with a `path` and perhaps `hosts`, as in `GET` and in a registration; their other fields are ignored. */
  readonly contexts?: readonly (string | { readonly path: string; readonly hosts?: readonly string[] })[];
  /** Take the context off the path of requests for the node, and put it back on redirects and cookie paths. Default false. */
  readonly stripPrefix?: boolean;
  readonly hosts?: readonly string[];
  readonly weight?: number;
  readonly group?: string;
  /** Path and query that the coordinator requests each second; an answer below 500 means ready for new work. At most 256 characters. */
  readonly readyPath?: string;
  /** Lease in milliseconds, 1,000–3,600,000, that a repeated PUT renews; absent: a static member. */
  readonly ttlMs?: number;
  readonly load?: number;
  readonly sessions?: number;
  /** Replace a node of this id that is registered at another address. Default false: 409 `conflict`. */
  readonly replace?: boolean;
  /** Report whether the registration would be accepted, and change nothing; the address is not probed. */
  readonly dryRun?: boolean;
  /** Address at which clients may reach the node directly, for `assign`. */
  readonly publicUrl?: string;
  /** Sticky hint of the node; the first node of a balancer decides, unless an operator has. */
  readonly sticky?: StickyHint;
}

/** Body of `PATCH /v1/balancers/:name`; `null` removes an override. */
export interface BalancerPatch {
  readonly algorithm?: string | null;
  readonly sessionAlgorithm?: string | null;
  readonly retries?: number | null;
  readonly sessionIdleMs?: number | null;
  /** Disruption budget: eligible nodes that a write leaves in each context unless it is forced, 0–1,000. Default 1; 0: no budget. */
  readonly minEligible?: number | null;
  /** Clients may request the address of a node for direct connections. */
  readonly assign?: boolean | null;
  readonly sticky?: {
    readonly mode?: StickyMode | null;
    readonly cookies?: readonly string[] | null;
    readonly parameters?: readonly string[] | null;
    readonly failover?: Failover | null;
    readonly remove?: boolean | null;
    readonly movable?: boolean | null;
    readonly routeCookie?: RouteCookiePatch;
  };
  /** Time limits of the balancer and of paths within it. */
  readonly limits?: LimitsPatch;
  readonly reason?: string;
  readonly dryRun?: boolean;
}

/** Answer to `PATCH /v1/balancers/:name`. */
export interface BalancerWriteResult {
  /** For the audit, and `POST /v1/undo` if it can be undone; absent when nothing has changed. */
  readonly changeId?: string;
  readonly balancer: BalancerResource;
  readonly isChanged: boolean;
  readonly isDryRun: boolean;
  readonly message: string;
  readonly pending?: true;
  readonly coordinators?: AppliedResource;
  readonly note?: string;
}

/** Body of `DELETE /v1/nodes/:id`. */
export interface RemoveBody {
  readonly reason?: string;
  readonly dryRun?: boolean;
  /** Also when no eligible node is left. Default false: 409 `nobody-eligible`. */
  readonly force?: boolean;
}

/** Body of `POST …/acknowledge`. */
export interface AcknowledgeBody {
  readonly reason?: string;
  readonly dryRun?: boolean;
}

/** Body of `POST /v1/decisions`. */
export interface DecisionsBody {
  /** Number of decisions, 1–100, default 20. */
  readonly count?: number;
  /** Duration in milliseconds, 1–30,000, default 5,000. */
  readonly forMs?: number;
  /** Exclude requests that were sent to the node of their session. Default false. */
  readonly onlyPicks?: boolean;
}

/** Body of `POST /v1/explain`. */
export interface ExplainBody {
  readonly host?: string;
  /** Path and query of the request to explain. */
  readonly target?: string;
  /** Value of the `Cookie` field; used for this answer only and not stored. */
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

/** Permissions of a token. `operator` includes `viewer`, `admin` includes both; `join` and `proxy` are separate. */
export type Role = 'join' | 'proxy' | 'viewer' | 'operator' | 'admin';
