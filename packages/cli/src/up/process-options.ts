/**
 * IPC messages between the supervisor and its children. After an upgrade in place a supervisor
 * has children of the new release: messages and fields are added, never changed, and what is not known is skipped.
 */
import type { BalancerSettingsOption } from '@rollcall/coordinator';
import type { ContextPath, ProcessResource, QuotaName, ReplacedProcess } from '@rollcall/protocol';
import type { AccessLogOptions, CertificateFiles, EngineLimits, NodeTlsOptions } from '@rollcall/proxy';
import type { ListenAddress } from '../address.ts';
import type { StaticSite } from '../static/static-site.ts';

export type ChildName = 'control' | 'worker' | 'static';

/** PEM files of the control port's TLS. */
export interface ControlTlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Authorities that sign certificates of clients. */
  readonly clientCa?: string;
}

export interface ControlOptions {
  readonly listen: ListenAddress;
  readonly agentsListen?: ListenAddress;
  /** Absent: plain HTTP. */
  readonly controlTls?: ControlTlsFiles;
  readonly advertise?: string;
  /** As `--store` spells it. */
  readonly store: string;
  readonly stateDir: string;
  readonly joinToken?: string;
  readonly adminToken?: string;
  readonly feedToken: string;
  /** For the nodes of `--static`. Absent in releases that give them the join token. */
  readonly ownNodeToken?: string;
  readonly proxyUrl: string;
  readonly ownListeners: readonly ListenAddress[];
  readonly version: string;
  readonly heartbeatMs?: number;
  readonly suspectMs?: number;
  readonly leaseMs?: number;
  readonly balancers: readonly BalancerSettingsOption[];
  /** Names of the operator's algorithms. */
  readonly ownAlgorithms: readonly string[];
  readonly adminAllow?: readonly string[];
  readonly nodeAllow?: readonly string[];
  readonly controlHosts?: readonly string[];
  readonly controlTrustedProxies?: readonly string[];
  readonly controlUrl?: string;
  readonly quotas?: Partial<Readonly<Record<QuotaName, number>>>;
  readonly logLevel: string;
}

export interface WorkerProcessOptions {
  readonly name: string;
  readonly version: string;
  readonly feedUrl: string;
  readonly feedToken: string;
  /** Files of certificates of which the control port shows one; absent without TLS. */
  readonly feedCertificateFiles?: readonly string[];
  readonly snapshotFile: string;
  /** Of this `up`. Absent from supervisors of earlier releases. */
  readonly ownListeners?: readonly ListenAddress[];
  readonly limits: Partial<EngineLimits>;
  readonly healthPath?: string;
  readonly stickySecretFile?: string;
  readonly excludedPaths: readonly ContextPath[];
  readonly trustedProxies: readonly string[];
  /** Files of pages by status. */
  readonly errorPages: Readonly<Record<string, string>>;
  readonly accessLog?: AccessLogOptions;
  readonly nodeTls: NodeTlsOptions;
  /** Files of the operator's algorithms, by name. */
  readonly algorithmFiles: Readonly<Record<string, string>>;
  /** Certificates of the TLS port; none without one. */
  readonly certificates: readonly CertificateFiles[];
  /** In base64. */
  readonly ticketKeys: string;
  /** Shown with a 503 on this machine. */
  readonly unavailableHint: string;
  readonly logLevel: string;
}

export interface StaticProcessOptions {
  readonly sites: readonly StaticSite[];
  readonly coordinatorUrl: string;
  /** File of the control port's certificate; absent without TLS. */
  readonly coordinatorCa?: string;
  readonly joinToken?: string;
  readonly logLevel: string;
}

export type ToChild =
  /** First; `handles` messages with one handle each follow. */
  | {
      readonly type: 'start';
      readonly options: object;
      readonly handles: number;
      /** It takes the place of one that died, and is waited for. */
      readonly isAgain: boolean;
    }
  | { readonly type: 'handle' }
  /** Do you still turn? Answered by `answer`, also while the child starts. */
  | { readonly type: 'ask' }
  /** A connection comes along; answered by `taken` or `declined`. */
  | {
      readonly type: 'connection';
      readonly number: number;
      readonly isTls: boolean;
      /** By the machine's clock. Absent in releases that hand over without it. */
      readonly sentMs?: number;
    }
  /** Another worker accepts now: finish what there is, and end. */
  | { readonly type: 'retire'; readonly graceMs: number }
  /** To the control process: its certificate files may have changed. */
  | { readonly type: 'read-certificates' }
  /** The access log was moved away. */
  | { readonly type: 'reopen-log' }
  /** To the control process: the children now, and replacements that no control process has confirmed. Answered by `noted`. */
  | {
      readonly type: 'processes';
      readonly processes: readonly ProcessResource[];
      readonly replaced: readonly ReplacedProcess[];
    }
  /** What came of the request for logs to be opened again. */
  | { readonly type: 'rotated'; readonly error?: string; readonly message: string }
  /** What came of a reload that the control process asked for. */
  | { readonly type: 'reloaded'; readonly error?: string; readonly message: string };

/** From a child, whenever it serves. */
export interface ChildReady {
  readonly type: 'ready';
  readonly version: string;
  /** It answers when it is asked. Absent in releases that do not. */
  readonly answers?: true;
  /** One-time link that logs a browser in; from the control process only. */
  readonly loginUrl?: string;
  /** Sentences for the operator about how it was started; from the control process only. */
  readonly warnings?: readonly string[];
}

/** From a child that cannot start for a reason the user can mend: starting it again would not help. */
export interface ChildFailed {
  readonly type: 'failed';
  readonly message: string;
}

/** From the control process: an administrator wants the settings read again. Answered by `reloaded`. */
export interface ReloadWanted {
  readonly type: 'reload';
}

/** From the control process: an operator wants the logs opened again. Answered by `rotated`. */
export interface RotateWanted {
  readonly type: 'rotate';
}

/** From a worker: the connection of that number is its own now; or it came too late and belongs to the supervisor. */
export interface ConnectionAnswer {
  readonly type: 'taken' | 'declined';
  readonly number: number;
}

/** From a child that turns. */
export interface ChildAnswer {
  readonly type: 'answer';
}

/** From the control process: replacements up to that number are in its events. */
export interface ReplacementsNoted {
  readonly type: 'noted';
  readonly number: number;
}

export type ChildMessage =
  | ChildReady
  | ChildFailed
  | ReloadWanted
  | RotateWanted
  | ConnectionAnswer
  | ChildAnswer
  | ReplacementsNoted;
