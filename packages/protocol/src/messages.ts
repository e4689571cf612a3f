/**
 * Messages between agent and coordinator, as PROTOCOL.md specifies them. One JSON object per text frame;
 * `type` distinguishes them. Names of numbers end in their unit; an absent optional field means its default.
 */
import type { BalancerName, ContextPath, GroupName, HostPattern, NodeId, NodeUrl, Route } from './ids.ts';
import type { RouteCookie } from './route-cookie.ts';

/** Requests that a node gets, by operator or node: all, those of existing sessions only, or none. */
export type Status = 'enabled' | 'draining' | 'stopped';
/** All of them. */
export const STATUSES: readonly Status[] = ['enabled', 'draining', 'stopped'];

/** Method by which the proxy finds the route of a request's session. See PROTOCOL.md section 8. */
export type StickyMode = 'insert' | 'suffix' | 'rewrite' | 'none';
/** All of them. */
export const STICKY_MODES: readonly StickyMode[] = ['insert', 'suffix', 'rewrite', 'none'];

/**
 * Target of a session when its node is gone, ejected or stopped: any node, a node of the same group, or no node. `eager`: as `any`,
 * and idempotent requests already move while the node is suspect, for applications that share their sessions.
 */
export type Failover = 'any' | 'group' | 'none' | 'eager';
/** All of them. */
export const FAILOVERS: readonly Failover[] = ['any', 'group', 'none', 'eager'];

/** Sticky settings that a node proposes; the first node of a balancer decides, unless an operator has. */
export interface StickyHint {
  /** Default `insert`. */
  readonly mode?: StickyMode;
  /** Cookie names that may carry a session id, most important first. At most 16 of at most 64 characters. */
  readonly cookies?: readonly string[];
  /** Names of path and query parameters that may carry a session id. At most 16 of at most 64 characters. */
  readonly parameters?: readonly string[];
  /** Default `any`. */
  readonly failover?: Failover;
  /** Strip a session id whose node is gone before forwarding elsewhere. Default false. */
  readonly remove?: boolean;
  /** Any node can serve any session: some sessions may leave a node that stays hot. Default false. */
  readonly movable?: boolean;
}

/** Sticky settings in force, after precedence and defaults. */
export interface StickySettings {
  readonly mode: StickyMode;
  readonly cookies: readonly string[];
  readonly parameters: readonly string[];
  readonly failover: Failover;
  readonly remove: boolean;
  readonly movable: boolean;
  /** The cookie of the proxy in mode `insert`. Its attributes also apply to ids that the proxy writes in mode `rewrite`. */
  readonly routeCookie: RouteCookie;
}

/** One path prefix that a node serves. */
export interface ContextEntry {
  readonly path: ContextPath;
  /** 1–16 hosts that it is served on. Default: the hosts of the node. */
  readonly hosts?: readonly HostPattern[];
}

/** Most contexts of one node. */
export const MAX_CONTEXTS = 128;
/** Most hosts of one node, and of one context. */
export const MAX_HOSTS = 16;
/** Longest JSON of the contexts and hosts of one node, in characters: a stored registration stays below 16 KiB. */
export const MAX_PLACES_LENGTH = 9_216;

/** Length of the JSON of the contexts and hosts of a node, in characters. */
export function placesLength({ contexts, hosts }: Pick<NodeRegistration, 'contexts' | 'hosts'>): number {
  return JSON.stringify(contexts).length + JSON.stringify(hosts).length;
}

/** Registration of a node. Only `id`, `balancer` and `url` are required on the wire; the codec adds the defaults. */
export interface NodeRegistration {
  readonly id: NodeId;
  readonly balancer: BalancerName;
  readonly url: NodeUrl;
  /** Default: the id. */
  readonly route: Route;
  /** 1–128 contexts, default `/`. A path may occur more than once, on other hosts. */
  readonly contexts: readonly ContextEntry[];
  /**
   * The proxy takes the context off the path of a request, and puts it back on redirects and cookie paths of the answer.
   * Default false: the path is forwarded unchanged.
   */
  readonly stripPrefix?: boolean;
  /** 1–16 hosts of the contexts without hosts of their own, default `*`. */
  readonly hosts: readonly HostPattern[];
  /** Operator's multiplier of the node's share, above 0 up to 100, default 1. */
  readonly weight: number;
  readonly group?: GroupName;
  /** Start of the process in Unix milliseconds; the newer start wins. Set by the coordinator when absent. */
  readonly incarnation?: number;
  /** 128 random bits per process, 32 hex digits: distinguishes a reconnect from a second process with the same id. */
  readonly instance?: string;
  /**
   * The program itself answers at `url` and proves its `instance`: an HTTP answer without the proof comes from another
   * program. Without `instance` it counts as false. Default false.
   */
  readonly proves?: boolean;
  /** Process that registered the node. */
  readonly process?: NodeProcess;
  /** The application's version, for people. At most 64 characters. */
  readonly version?: string;
  /** Milliseconds for which the node keeps an idle connection open, 0–3,600,000. */
  readonly keepAliveMs?: number;
  /** Address at which clients may reach the node directly, for `assign`. */
  readonly publicUrl?: string;
  readonly sticky?: StickyHint;
  /** The node is one of several copies that a wrapper keeps; `scale` changes their number. */
  readonly copies?: Copies;
  /** CPU cores the node may use, above 0 up to 1,024. */
  readonly cores?: number;
  /** The node answers with `rollcall-load` response fields. Default false. */
  readonly loadHeader: boolean;
  /**
   * Path and query of HEAD probes where the program does not answer `OPTIONS *`. Without an agent, the coordinator also requests it
   * to learn whether the node is ready. At most 256 characters.
   */
  readonly readyPath?: string;
  /** Free text for people: at most 16 entries, keys are names, values at most 256 characters. */
  readonly meta: Readonly<Record<string, string>>;
}

/** Process of a node, for people. It is only displayed, never used for a decision. An unknown field is absent. */
export interface NodeProcess {
  /** Host name, at most 255 characters. */
  readonly host?: string;
  /** Process id, 1–4,294,967,295. */
  readonly pid?: number;
}

/** The copies of one program that a wrapper keeps running. */
export interface Copies {
  /** Identifies the wrapper: 32 hex digits, new at each start of it. */
  readonly wrapper: string;
  /** Present number of copies, 1–1,000. */
  readonly kept: number;
  /** Largest possible number of copies, 1–1,000. */
  readonly most: number;
}

export interface RegisterMessage {
  readonly type: 'register';
  readonly node: NodeRegistration;
}

/** Renews the lease. Every field but `type` is optional. */
export interface HeartbeatMessage {
  readonly type: 'heartbeat';
  /** Increases by at least one per heartbeat of a connection; an older one is ignored. */
  readonly seq?: number;
  /** 0 idle … 1 full; above 1 is clamped to 1. */
  readonly load?: number;
  /** Active sessions, as counted by the application. */
  readonly sessions?: number;
  /** Requests that the node is serving at present. */
  readonly inFlight?: number;
  /** False: the node is alive and keeps its sessions; new work should go to other nodes while a ready node exists. Default true. */
  readonly ready?: boolean;
  /** Why it is not ready, to follow "it": `answers 503 at /up`; for people. At most `MAX_CAUSE_CHARACTERS`. */
  readonly readyReason?: string;
  /** Busy milliseconds per request, smoothed by the node. */
  readonly serviceMs?: number;
  /** Named parts of the load, 0 … 1 each; for people. At most 32. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** Measured values of the metrics, each in the unit of its scale. At most 32. */
  readonly values?: Readonly<Record<string, number>>;
  /** Scales by which values become parts of the load; kept until the next `scales`. At most 32. */
  readonly scales?: Readonly<Record<string, MetricScale>>;
  /** Failing copies of the wrapper that keeps the node; for people. Absent: none. At most `MAX_FAILING_COPIES`. */
  readonly failing?: readonly FailingCopy[];
}

/** A copy that a wrapper keeps, whose last attempt has failed and that has not been healthy since. */
export interface FailingCopy {
  /** Its number at the wrapper, 1–1,000. */
  readonly copy: number;
  /** Failed attempts since it was last healthy, 1 or more. */
  readonly attempts: number;
  /** Cause of the last failure in one sentence, at most `MAX_CAUSE_CHARACTERS`. */
  readonly cause: string;
  /** Milliseconds until the next attempt; absent while an attempt is running. */
  readonly retryMs?: number;
}

/** Upper bound of the failing copies in one heartbeat. */
export const MAX_FAILING_COPIES = 64;
export const MAX_CAUSE_CHARACTERS = 200;

/** Conversion of a metric's value to a part of the load, and the weight of the part; for people. */
export interface MetricScale {
  /** The value that means full, above 0; with `isSoft` half full. */
  readonly capacity: number;
  /** Weight in the weighted mean; 0: the metric is only displayed. */
  readonly weight: number;
  /** At most 16 characters; absent for counts and ratios. */
  readonly unit?: string;
  /** The load is at least this part, even if the weighted mean is lower. Default false. */
  readonly isLimit?: boolean;
  /** Share of the capacity below which the part is 0; above it the part rises linearly. 0 … 0.99, default 0. */
  readonly from?: number;
  /** The part is value / (value + capacity), which is always below 1. Default false. */
  readonly isSoft?: boolean;
}

/** Status that the node itself requests. */
export interface NodeStatusMessage {
  readonly type: 'status';
  readonly status: Status;
  /** For people, at most 256 characters. */
  readonly reason?: string;
  /** Only these contexts of the node; default all of them. */
  readonly contexts?: readonly ContextPath[];
  /** Milliseconds for which the node will wait for `drained`. */
  readonly deadlineMs?: number;
  /**
   * Milliseconds for which the coordinator may hold the request while the node is needed for the budget of its balancer. It answers with
   * `budget` then. Only for the whole node. Default 0.
   */
  readonly holdMs?: number;
}

/** The node leaves by its own decision. Only a close may follow. */
export interface LeaveMessage {
  readonly type: 'leave';
}

export type AgentMessage = RegisterMessage | HeartbeatMessage | NodeStatusMessage | LeaveMessage;

/** Answer to `register`: the node as accepted, and the interval of its heartbeats. */
export interface RegisteredMessage {
  readonly type: 'registered';
  readonly node: NodeRegistration;
  readonly heartbeatMs: number;
  readonly suspectMs: number;
  readonly leaseMs: number;
  readonly epoch: string;
  /** Random id of the coordinator, which it keeps over restarts: 1 to 32 hex digits. Earlier coordinators do not send it. */
  readonly coordinatorId?: string;
  /** The address of this coordinator in `coordinators`. */
  readonly coordinatorUrl?: string;
  readonly coordinators: readonly string[];
  readonly warnings: readonly Warning[];
}

/** The addresses in `coordinators` of `registered` have changed: this list replaces it. Agents that do not know the type ignore it. */
export interface CoordinatorsMessage {
  readonly type: 'coordinators';
  readonly coordinators: readonly string[];
}

/** Problem of an accepted registration, for the log of the node. */
export interface Warning {
  readonly code: string;
  readonly message: string;
}

/** The operator requests another status of the node. For display: the status is already in force. */
export interface OperatorStatusMessage {
  readonly type: 'status';
  readonly status: Status;
  readonly reason?: string;
  /** Remaining milliseconds until the drain ends, even if sessions remain. Absent: no deadline. */
  readonly deadlineMs?: number;
}

/** The node's last `status` of draining or stopped is complete: it may leave without failed requests. */
export interface DrainedMessage {
  readonly type: 'drained';
}

/**
 * The last `status` of the node is held: without the node, fewer nodes would be eligible than the budget of its balancer. The node keeps
 * getting new sessions. A second message with `holdMs` 0 means that the status is in force. Only after a `status` with `holdMs`.
 */
export interface BudgetMessage {
  readonly type: 'budget';
  /** Longest remaining time of the hold, milliseconds; 0: it is over. */
  readonly holdMs: number;
  /** For people, at most 1,024 characters. */
  readonly message: string;
}

/** From now on a heartbeat every `heartbeatMs`; `suspectMs` and `leaseMs` follow. */
export interface PaceMessage {
  readonly type: 'pace';
  readonly heartbeatMs: number;
  readonly suspectMs: number;
  readonly leaseMs: number;
}

/** Number of copies to keep from now on. Sent only to nodes that registered with `copies`, and to one node of a wrapper. */
export interface ScaleMessage {
  readonly type: 'scale';
  /** 1–1,000. */
  readonly count: number;
}

export interface ErrorMessage {
  readonly type: 'error';
  readonly code: string;
  readonly message: string;
  /** With a name that is taken: whether its holder is connected and has sent `register` or `heartbeat` within `suspectMs`. */
  readonly holderConnected?: boolean;
}

/**
 * Only over the local socket of a node: the connection to the coordinators is lost. The next `registered` ends this state;
 * until then no `drained` follows a `status`.
 */
export interface DisconnectedMessage {
  readonly type: 'disconnected';
  /** For people, at most 1,024 characters. */
  readonly message: string;
}

export type CoordinatorMessage =
  | RegisteredMessage
  | OperatorStatusMessage
  | DrainedMessage
  | BudgetMessage
  | PaceMessage
  | ScaleMessage
  | CoordinatorsMessage
  | DisconnectedMessage
  | ErrorMessage;

/** Interval of heartbeats where the coordinator sends no other, milliseconds. */
export const DEFAULT_HEARTBEAT_MS = 1_000;
/** Time without a heartbeat after which a node gets no new sessions, milliseconds. */
export const DEFAULT_SUSPECT_MS = 3_000;
/** Time without any sign of life after which a node is gone, milliseconds. */
export const DEFAULT_LEASE_MS = 20_000;
/**
 * Request field of a probe: a nonce of 32 hex digits. A node that can prove its `instance` answers it with `PROOF_FIELD`.
 * Programs without support for the field ignore it.
 */
export const PROBE_FIELD = 'rollcall-probe';
/** Response field: HMAC-SHA256 in lower-case hex, keyed with the registered `instance` as text, over the nonce. */
export const PROOF_FIELD = 'rollcall-proof';
/** Largest frame that either side accepts, in bytes. */
export const MAX_FRAME_BYTES = 65_536;
