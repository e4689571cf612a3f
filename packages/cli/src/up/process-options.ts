/**
 * IPC messages between the supervisor and its children. After an upgrade in place, a supervisor has children of the new
 * release. Therefore messages and fields are added, never changed, and unknown messages are skipped.
 */
import type { BalancerSettingsOption } from '@rollcall/coordinator';
import type { LogFormat } from '@rollcall/logging';
import type { ContextPath, ProcessResource, QuotaName, ReplacedProcess } from '@rollcall/protocol';
import type {
  AccessLogOptions,
  CertificateFiles,
  CertificatesReport,
  ForwardedForm,
  KeptCertificate,
  LimitChanges,
  NodeTlsOptions,
  ProxyProtocolListener,
} from '@rollcall/proxy';
import type { ListenAddress } from '../address.ts';
import type { StaticSite } from '../static/static-site.ts';

export type ChildName = 'control' | 'worker' | 'static';

/** PEM files of the control port's TLS. */
export interface ControlTlsFiles {
  readonly cert: string;
  readonly key: string;
  /** CA certificates for client certificates. */
  readonly clientCa?: string;
}

export interface ControlOptions {
  readonly listen: ListenAddress;
  readonly agentsListen?: ListenAddress;
  /** Listener for nodes of mod_cluster, and the ranges of nodes that need no client certificate. */
  readonly mcmp?: {
    readonly listen: ListenAddress;
    readonly allow: readonly string[];
    readonly advertise?: { readonly group: ListenAddress; readonly address: string; readonly key?: string };
    /** Requests are matched with the aliases of the nodes. */
    readonly hasAliases?: boolean;
  };
  /** If absent, plain HTTP. */
  readonly controlTls?: ControlTlsFiles;
  readonly advertise?: string;
  /** Value of `--store`. */
  readonly store: string;
  /** Content of the file of `--store-ca`, PEM. Absent from supervisors of earlier releases. */
  readonly storeCa?: string;
  /** Name of the cluster in a shared store. Absent from supervisors of earlier releases. */
  readonly clusterName?: string;
  /** Name of this coordinator. Absent from supervisors of earlier releases. */
  readonly name?: string;
  readonly stateDir: string;
  readonly joinToken?: string;
  readonly adminToken?: string;
  readonly feedToken: string;
  /** Token for the nodes of `--static`. Absent in releases that give them the join token. */
  readonly ownNodeToken?: string;
  readonly proxyUrl: string;
  readonly ownListeners: readonly ListenAddress[];
  readonly version: string;
  readonly heartbeatMs?: number;
  readonly suspectMs?: number;
  readonly leaseMs?: number;
  readonly balancers: readonly BalancerSettingsOption[];
  /** Names of custom algorithms. */
  readonly ownAlgorithms: readonly string[];
  readonly adminAllow?: readonly string[];
  readonly nodeAllow?: readonly string[];
  readonly controlHosts?: readonly string[];
  readonly controlTrustedProxies?: readonly string[];
  readonly controlUrl?: string;
  readonly quotas?: Partial<Readonly<Record<QuotaName, number>>>;
  readonly logLevel: string;
  /** Absent from supervisors of earlier releases: `auto`. */
  readonly logFormat?: LogFormat;
}

export interface WorkerProcessOptions {
  readonly name: string;
  readonly version: string;
  readonly feedUrl: string;
  readonly feedToken: string;
  /** Certificate files of the control port, which presents one of them; absent without TLS. */
  readonly feedCertificateFiles?: readonly string[];
  readonly snapshotFile: string;
  /** Id of this `up`. Absent from supervisors of earlier releases. */
  readonly ownListeners?: readonly ListenAddress[];
  readonly limits: LimitChanges;
  readonly healthPath?: string;
  readonly stickySecretFile?: string;
  readonly ajpSecretFile?: string;
  readonly excludedPaths: readonly ContextPath[];
  readonly trustedProxies: readonly string[];
  /** Absent from supervisors of earlier releases. */
  readonly forwardedForm?: ForwardedForm;
  /** Absent from supervisors of earlier releases: true. */
  readonly addsVia?: boolean;
  /** Absent from supervisors of earlier releases: false. */
  readonly makesTraces?: boolean;
  readonly proxyProtocol?: readonly ProxyProtocolListener[];
  /** Files of error pages by status. */
  readonly errorPages: Readonly<Record<string, string>>;
  readonly accessLog?: AccessLogOptions;
  readonly nodeTls: NodeTlsOptions;
  /** Files of custom algorithms, by name. */
  readonly algorithmFiles: Readonly<Record<string, string>>;
  /** Certificates of the TLS port; empty without one. */
  readonly certificates: readonly CertificateFiles[];
  /** Base64. */
  readonly ticketKeys: string;
  readonly logLevel: string;
  /** Absent from supervisors of earlier releases: `auto`. */
  readonly logFormat?: LogFormat;
}

export interface StaticProcessOptions {
  readonly sites: readonly StaticSite[];
  readonly coordinatorUrl: string;
  /** File of the control port's certificate; absent without TLS. */
  readonly coordinatorCa?: string;
  readonly joinToken?: string;
  readonly logLevel: string;
  /** Absent from supervisors of earlier releases: `auto`. */
  readonly logFormat?: LogFormat;
}

export type ToChild =
  /** First message; `handles` messages with one handle each follow. */
  | {
      readonly type: 'start';
      readonly options: object;
      readonly handles: number;
      /** The worker replaces a worker that died, and clients wait for it. */
      readonly isAgain: boolean;
      /** Certificates that an earlier process of this child has reported; absent without. */
      readonly certificates?: readonly KeptCertificate[];
    }
  | { readonly type: 'handle' }
  /** Ping. Answered by `answer`, also while the child starts. */
  | { readonly type: 'ask' }
  /** A connection is attached; answered by `taken` or `declined`. */
  | {
      readonly type: 'connection';
      readonly number: number;
      readonly isTls: boolean;
      /** Instant of the clock of the machine. Absent in releases that hand over without it. */
      readonly sentMs?: number;
    }
  /** Another worker accepts now: finish open requests, then end. */
  | { readonly type: 'retire'; readonly graceMs: number }
  /** To the control process: its certificate files may have changed. */
  | { readonly type: 'read-certificates' }
  /** The access log was moved away. */
  | { readonly type: 'reopen-log' }
  /** To the control process: the current children, and replacements that no control process has confirmed. Answered by `noted`. */
  | {
      readonly type: 'processes';
      readonly processes: readonly ProcessResource[];
      readonly replaced: readonly ReplacedProcess[];
    }
  /** Outcome of a request to reopen logs. */
  | { readonly type: 'rotated'; readonly error?: string; readonly message: string }
  /** Outcome of a reload that the control process requested. */
  | { readonly type: 'reloaded'; readonly id?: number; readonly error?: string; readonly message: string };

/** From a child, when it serves. */
export interface ChildReady {
  readonly type: 'ready';
  readonly version: string;
  /** The child answers pings. Absent in releases that do not. */
  readonly answers?: true;
  /** One-time link that logs a browser in; from the control process only. */
  readonly loginUrl?: string;
  /** Warnings for the operator about the configuration; from the control process only. */
  readonly warnings?: readonly string[];
}

/** From a child that cannot start for a reason that the user can fix: a restart would not help. */
export interface ChildFailed {
  readonly type: 'failed';
  readonly message: string;
}

/**
 * From a child, before its end: an error that nothing has caught. The child exits with code 1. Absent in releases that only log it.
 */
export interface ChildCrashed {
  readonly type: 'crashed';
  readonly message: string;
}

/**
 * From a child with TLS, before it serves and after each change: the certificates in use. The supervisor keeps their content in
 * memory for the next process of this child, which may find unusable files. Private keys are written to no file.
 */
export interface CertificatesInUse extends CertificatesReport {
  readonly type: 'certificates';
}

/** From the control process: an administrator requests a reload. Answered by `reloaded`. */
export interface ReloadRequest {
  readonly type: 'reload';
  /** Number of the request, repeated in the answer. Absent in releases that have one request at a time. */
  readonly id?: number;
}

/** From the control process: an operator requests that logs are reopened. Answered by `rotated`. */
export interface RotateRequest {
  readonly type: 'rotate';
}

/** From a worker: it has taken the connection with this number, or declines it because it was late. */
export interface ConnectionAnswer {
  readonly type: 'taken' | 'declined';
  readonly number: number;
}

/** From a child: answer to a ping. */
export interface ChildAnswer {
  readonly type: 'answer';
}

/** From the control process: replacements up to this number are in its events. */
export interface ReplacementsNoted {
  readonly type: 'noted';
  readonly number: number;
}

export type ChildMessage =
  | ChildReady
  | ChildFailed
  | ChildCrashed
  | CertificatesInUse
  | ReloadRequest
  | RotateRequest
  | ConnectionAnswer
  | ChildAnswer
  | ReplacementsNoted;
