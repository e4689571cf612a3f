/**
 * Messages between agent and coordinator, as PROTOCOL.md describes them. One JSON object per text frame,
 * told apart by `type`. Numbers carry their unit in the name; an absent optional field means its default.
 */
import type { BalancerName, ContextPath, GroupName, HostPattern, NodeId, NodeUrl, Route } from './ids.ts';

/** What the operator or the node wants: all requests, existing sessions only, or nothing. */
export type Status = 'enabled' | 'draining' | 'stopped';

/** How the proxy finds the route of a request's session. See PROTOCOL.md section 8. */
export type StickyMode = 'insert' | 'suffix' | 'rewrite' | 'none';

/**
 * Where a session goes when its node is gone, ejected or stopped. `eager` is `any`, and idempotent requests already move
 * while the node is suspect: for applications that share their sessions.
 */
export type Failover = 'any' | 'group' | 'none' | 'eager';
/** All of them. */
export const FAILOVERS: readonly Failover[] = ['any', 'group', 'none', 'eager'];

/** Sticky settings as a node may hint at them; the first node of a balancer decides, unless an operator has. */
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
  /** Any node can serve any session: a few may leave a node that stays hot. Default false. */
  readonly movable?: boolean;
}

/** One path prefix a node serves. */
export interface ContextEntry {
  readonly path: ContextPath;
}

/** A node as it registers. Only `id`, `balancer` and `url` are required on the wire; the codec fills the defaults in. */
export interface NodeRegistration {
  readonly id: NodeId;
  readonly balancer: BalancerName;
  readonly url: NodeUrl;
  /** Default: the id. */
  readonly route: Route;
  /** 1–16 contexts, default `/`. */
  readonly contexts: readonly ContextEntry[];
  /** 1–16 hosts, default `*`. */
  readonly hosts: readonly HostPattern[];
  /** Operator's multiplier of the node's share, above 0 up to 100, default 1. */
  readonly weight: number;
  readonly group?: GroupName;
  /** Start of the process in Unix milliseconds; the newer start wins. Set by the coordinator when absent. */
  readonly incarnation?: number;
  /** 128 random bits per process, 32 hex digits: tells a reconnect from a second process with the same id. */
  readonly instance?: string;
  /**
   * The program itself answers at `url` and proves its `instance`: an HTTP answer without the proof comes from another
   * program. Without `instance` it counts as false. Default false.
   */
  readonly proves?: boolean;
  /** Which process speaks for the node. */
  readonly process?: NodeProcess;
  /** The application's version, for people. At most 64 characters. */
  readonly version?: string;
  /** How long the node keeps an idle connection open, in milliseconds, 0–3,600,000. */
  readonly keepAliveMs?: number;
  /** Where clients may reach the node directly, for `assign`. */
  readonly publicUrl?: string;
  readonly sticky?: StickyHint;
  /** The node is one of several that a wrapper keeps, and whose number it changes when it is told to. */
  readonly copies?: Copies;
  /** CPU cores the node may use, above 0 up to 1,024. */
  readonly cores?: number;
  /** The node answers with `rollcall-load` response fields. Default false. */
  readonly loadHeader: boolean;
  /** Path and query that a probe may ask for with HEAD where the program does not answer `OPTIONS *`. At most 256 characters. */
  readonly readyPath?: string;
  /** Free text for people: at most 16 entries, keys are names, values at most 256 characters. */
  readonly meta: Readonly<Record<string, string>>;
}

/** A process as people find it. Shown in messages and never relied upon. Either field is absent where it is unknown. */
export interface NodeProcess {
  /** Host name, at most 255 characters. */
  readonly host?: string;
  /** Process id, 1–4,294,967,295. */
  readonly pid?: number;
}

/** The copies of one program that a wrapper keeps running. */
export interface Copies {
  /** Names the wrapper: 32 hex digits, new at each start of it. */
  readonly wrapper: string;
  /** How many it keeps now, 1–1,000. */
  readonly kept: number;
  /** How many it can keep at most, 1–1,000. */
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
  /** Active sessions the application knows of. */
  readonly sessions?: number;
  /** Requests the node is serving right now. */
  readonly inFlight?: number;
  /** False: the node lives and keeps its sessions, and new work should go elsewhere while a ready node exists. Default true. */
  readonly ready?: boolean;
  /** Busy milliseconds per request, smoothed by the node. */
  readonly serviceMs?: number;
  /** Named parts of the load, 0 … 1 each; for people. At most 32. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** What was measured for them, each in the unit of its scale. At most 32. */
  readonly values?: Readonly<Record<string, number>>;
  /** How values become parts of the load; kept until the next. At most 32. */
  readonly scales?: Readonly<Record<string, MetricScale>>;
}

/** How the value of a metric becomes a part of the load, and that part counts; for people. */
export interface MetricScale {
  /** The value that means full, above 0; with `isSoft` half full. */
  readonly capacity: number;
  /** Its say in the weighted mean; 0 means that it is only shown. */
  readonly weight: number;
  /** At most 16 characters; absent for counts and ratios. */
  readonly unit?: string;
  /** The load is at least this part, whatever the weighted mean of the others. Default false. */
  readonly isLimit?: boolean;
  /** Below this share of the capacity the part is 0, from there it rises evenly; 0 … 0.99, default 0. */
  readonly from?: number;
  /** The part is value / (value + capacity), which never gets to 1. Default false. */
  readonly isSoft?: boolean;
}

/** The node's own wish. */
export interface NodeStatusMessage {
  readonly type: 'status';
  readonly status: Status;
  /** For people, at most 256 characters. */
  readonly reason?: string;
  /** Only these contexts of the node; default all of them. */
  readonly contexts?: readonly ContextPath[];
  /** How long the node is going to wait for `drained`, in milliseconds. */
  readonly deadlineMs?: number;
}

/** The node goes by its own choice. Nothing may follow but a close. */
export interface LeaveMessage {
  readonly type: 'leave';
}

export type AgentMessage = RegisterMessage | HeartbeatMessage | NodeStatusMessage | LeaveMessage;

/** Answer to `register`: the node as accepted, and the pace of its heartbeats. */
export interface RegisteredMessage {
  readonly type: 'registered';
  readonly node: NodeRegistration;
  readonly heartbeatMs: number;
  readonly suspectMs: number;
  readonly leaseMs: number;
  readonly epoch: string;
  readonly coordinators: readonly string[];
  readonly warnings: readonly Warning[];
}

/** Something worth a line in the node's log that does not keep it from working. */
export interface Warning {
  readonly code: string;
  readonly message: string;
}

/** The operator's wish has changed; for the node to show, not to act upon. */
export interface OperatorStatusMessage {
  readonly type: 'status';
  readonly status: Status;
  readonly reason?: string;
  /** Time left until the drain ends whatever happens; absent means no deadline. */
  readonly deadlineMs?: number;
}

/** The node's last `status` of draining or stopped is complete: it may leave without hurting anyone. */
export interface DrainedMessage {
  readonly type: 'drained';
}

/** From now on a heartbeat every `heartbeatMs`; `suspectMs` and `leaseMs` follow. */
export interface PaceMessage {
  readonly type: 'pace';
  readonly heartbeatMs: number;
  readonly suspectMs: number;
  readonly leaseMs: number;
}

/** Keep so many copies from now on. Only to nodes that registered with `copies`; one of a wrapper's nodes is told. */
export interface ScaleMessage {
  readonly type: 'scale';
  /** 1–1,000. */
  readonly count: number;
}

export interface ErrorMessage {
  readonly type: 'error';
  readonly code: string;
  readonly message: string;
  /** Of a name that is taken: whether its holder is connected and was heard within `suspectMs`. */
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
  | PaceMessage
  | ScaleMessage
  | DisconnectedMessage
  | ErrorMessage;

/** The coordinator's pace unless it says otherwise. */
export const DEFAULT_HEARTBEAT_MS = 1_000;
/** Silence after which a node gets no new sessions. */
export const DEFAULT_SUSPECT_MS = 3_000;
/** Time without any sign of life after which a node is gone. */
export const DEFAULT_LEASE_MS = 20_000;
/**
 * Request field of a probe: a nonce of 32 hex digits. A node that can prove its `instance` answers it with `PROOF_FIELD`.
 * Programs that do not know the field ignore it.
 */
export const PROBE_FIELD = 'rollcall-probe';
/** Response field: HMAC-SHA256 in lower-case hex, the key being the registered `instance` as text and the message the nonce. */
export const PROOF_FIELD = 'rollcall-proof';
/** Largest frame either side accepts, in bytes. */
export const MAX_FRAME_BYTES = 65_536;
