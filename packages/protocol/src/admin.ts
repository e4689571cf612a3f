/**
 * Resources and bodies of the admin API, shared by coordinator, dashboard and CLI. All instants are wall clock Unix
 * milliseconds, all durations milliseconds. `openapi.json` on the control port describes the same.
 */

import type { FeedLiveness, StickySettings } from './feed.ts';
import type { BalancerName, ContextPath, GroupName, HostPattern, NodeId, NodeUrl, Route } from './ids.ts';
import type { Failover, Status, StickyHint, StickyMode } from './messages.ts';

/** Whether the node is there: `joining` is being probed, `gone` is remembered only. `static` members are `up` while probes succeed. */
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
  readonly store: {
    readonly kind: string;
    readonly isReachable: boolean;
    readonly sinceUnixMs: number;
    readonly lastError?: string;
  };
  readonly workers: readonly WorkerResource[];
  readonly nodes: { readonly up: number; readonly suspect: number; readonly joining: number; readonly gone: number };
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
}

/** Answer to `POST /v1/reload`. */
export interface ReloadResult {
  /** What has changed, in one line. */
  readonly message: string;
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
