/** What the supervisor tells its children, as one IPC message each, and what they tell it. */
import type { BalancerSettingsOption } from '@rollcall/coordinator';
import type { ContextPath } from '@rollcall/protocol';
import type { ListenAddress } from '../address.ts';
import type { StaticSite } from '../static/static-site.ts';

export interface ControlOptions {
  readonly listen: ListenAddress;
  readonly agentsListen?: ListenAddress;
  readonly advertise?: string;
  /** As `--store` spells it. */
  readonly store: string;
  readonly stateDir: string;
  readonly joinToken?: string;
  readonly adminToken?: string;
  readonly feedToken: string;
  readonly proxyUrl: string;
  readonly ownListeners: readonly ListenAddress[];
  readonly version: string;
  readonly heartbeatMs?: number;
  readonly suspectMs?: number;
  readonly leaseMs?: number;
  readonly balancers: readonly BalancerSettingsOption[];
  readonly adminAllow?: readonly string[];
  readonly nodeAllow?: readonly string[];
  readonly controlHosts?: readonly string[];
  readonly controlUrl?: string;
  readonly logLevel: string;
}

export interface WorkerProcessOptions {
  readonly name: string;
  readonly version: string;
  readonly feedUrl: string;
  readonly feedToken: string;
  readonly snapshotFile: string;
  readonly headerTimeoutMs?: number;
  readonly bodyTimeoutMs?: number;
  readonly upstreamTimeoutMs?: number;
  readonly healthPath?: string;
  readonly stickySecretFile?: string;
  readonly excludedPaths: readonly ContextPath[];
  readonly trustedProxies: readonly string[];
  /** Shown with a 503 on this machine. */
  readonly unavailableHint: string;
  readonly logLevel: string;
}

export interface StaticProcessOptions {
  readonly sites: readonly StaticSite[];
  readonly coordinatorUrl: string;
  readonly joinToken?: string;
  readonly logLevel: string;
}

/** From a child, once, when it serves. */
export interface ChildReady {
  readonly type: 'ready';
  /** One-time link that logs a browser in; from the control process only. */
  readonly loginUrl?: string;
}

/** From a child that cannot start for a reason the user can mend: starting it again would not help. */
export interface ChildFailed {
  readonly type: 'failed';
  readonly message: string;
}

export type ChildMessage = ChildReady | ChildFailed;
