/** Options of a coordinator. This package does not read the environment or the command line. */
import type { SharedStore, Store } from '@rollcall/core';
import type { BalancerName, BalancerPatch, QuotaName } from '@rollcall/protocol';
import {
  DEFAULT_CONTROL_PORT,
  DEFAULT_HEARTBEAT_MS,
  DEFAULT_LEASE_MS,
  DEFAULT_SUSPECT_MS,
  MAX_QUOTA,
  parseAnnouncedUrl,
  printableUrl,
  QUOTA_DEFAULTS,
} from '@rollcall/protocol';
import type { Logger } from 'pino';
import { type Clocks, systemClocks } from './clocks.ts';
import { AllowedPeers } from './mcmp/allowed-peers.ts';
import type { McmpOptions } from './mcmp/mcmp-options.ts';
import { CidrList } from './network/addresses.ts';
import type { ControlTls } from './network/control-tls.ts';

/** Address to listen on. Port 0 takes a free port. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** A file of a page, with its encoded content. */
export interface Asset {
  readonly body: string | Buffer;
  /** Content-Type. */
  readonly type: string;
  /** The path contains a digest of the body, so that a browser may keep the file. Absent: false. */
  readonly isImmutable?: true;
}

/** Settings of one balancer, or of all (`*`), from one source. */
export interface BalancerSettingsOption {
  readonly name: BalancerName | '*';
  readonly source: 'flag' | 'environment' | 'file';
  readonly patch: BalancerPatch;
}

export interface SharingOptions {
  /** Closed by the coordinator. */
  readonly store: SharedStore;
  /** Keeps the shared records over a restart. Closed by the coordinator. */
  readonly file: Store;
  /** The start of a service; false for a restart of its control process, which must not fail. */
  readonly refusesStart: boolean;
}

export interface CoordinatorOptions {
  /** Default 127.0.0.1:8400. Beyond loopback a join token is required. */
  readonly listen?: ListenAddress;
  /** Extra listener for agents and workers only. Nodes can then reach it without access to the pages. */
  readonly agentsListen?: ListenAddress;
  /**
   * Listener for nodes of mod_cluster (MCMP). Beyond loopback it needs allowed ranges, or TLS that asks clients for certificates.
   * Default: none.
   */
  readonly mcmp?: McmpOptions;
  /** TLS of all these addresses. Default: plain HTTP. */
  readonly tls?: ControlTls;
  /** URL of this coordinator that is announced to agents, also by the other coordinators: `ws://…` or `wss://…`. Default: not announced. */
  readonly advertise?: string;
  /** Keeps the cluster over a restart. Closed by the coordinator. */
  readonly store: Store;
  /** Memory that this coordinator shares with others. Default: it is the only one of its cluster. */
  readonly sharing?: SharingOptions;
  /** Directory for tokens and the audit; created if it does not exist. */
  readonly stateDir: string;
  /** Token of agents. Without it only agents on this machine can join, and only while the control port is on loopback. */
  readonly joinToken?: string;
  /** Token of administrators. Default: created at the first start and kept in `stateDir/admin-token`. */
  readonly adminToken?: string;
  /** Token of proxy workers. Without it only tokens with role `proxy` in `stateDir/tokens.json` admit workers. */
  readonly feedToken?: string;
  /**
   * Token for nodes of the program that starts the coordinator, such as `--static`. It does not make tokens mandatory for other
   * agents.
   */
  readonly ownNodeToken?: string;
  /** URL of the site, shown to people. */
  readonly proxyUrl: string;
  /** Host and port of other own listeners, such as proxy and Redis. Nodes cannot announce them. */
  readonly ownListeners?: readonly ListenAddress[];
  /** Name of this coordinator. Default `coordinator`. */
  readonly name?: string;
  readonly version: string;
  /** Default 1,000. */
  readonly heartbeatMs?: number;
  /** Default 3,000. */
  readonly suspectMs?: number;
  /** Default 15,000. */
  readonly leaseMs?: number;
  /** Time after a start in which sessions wait for missing nodes. Default 10,000. */
  readonly learningMs?: number;
  /** Time after a start in which missing nodes count as late, not as gone. Default 15,000. */
  readonly settleMs?: number;
  readonly balancers?: readonly BalancerSettingsOption[];
  /** Names of algorithms that workers have besides those of core. Default: none. */
  readonly ownAlgorithms?: readonly string[];
  /** Pages by path, e.g. `/balancer-manager`. Default: none. */
  readonly assets?: ReadonlyMap<string, Asset>;
  /** Ranges that may use the admin API and the pages; a token is needed too. Default: loopback. */
  readonly adminAllow?: readonly string[];
  /** Ranges that nodes may have besides the address of their registration. Default: none. */
  readonly nodeAllow?: readonly string[];
  /**
   * Ranges of TLS proxies in front of the control and agents ports. Their `X-Forwarded-For` sets the address of the client for
   * limits, audit and `adminAllow`. Their `X-Forwarded-Proto` states whether the client uses TLS. Default: none.
   */
  readonly controlTrustedProxies?: readonly string[];
  /** Accepted values of Host on the control port, besides loopback names and its address. Default: none. */
  readonly controlHosts?: readonly string[];
  /**
   * URL of the control port for browsers, used in login links, e.g. `https://rollcall.example.net`. Default: the listening
   * address.
   */
  readonly controlUrl?: string;
  /** Quotas per token, balancer and address, by name. Default: `QUOTA_DEFAULTS` of the protocol. */
  readonly quotas?: Partial<Readonly<Record<QuotaName, number>>>;
  /** Reloads the settings. Resolves with a description of the changes, or rejects with the reason. Default: not possible. */
  readonly reload?: () => Promise<string>;
  /** Reopens log files. Resolves with a description of the action, or rejects with the reason. Default: not possible. */
  readonly rotate?: () => Promise<string>;
  readonly clocks?: Clocks;
  readonly log: Logger;
  /** Number of lines of `log` that were lost since the start. Default: none. */
  readonly lostLogLines?: () => number;
}

/** The options with all defaults filled in. */
export type Config = Required<Omit<CoordinatorOptions, Optional | 'quotas'>> &
  Pick<CoordinatorOptions, Optional> & { readonly quotas: Readonly<Record<QuotaName, number>> };

type Optional =
  | 'agentsListen'
  | 'mcmp'
  | 'tls'
  | 'advertise'
  | 'sharing'
  | 'controlUrl'
  | 'joinToken'
  | 'adminToken'
  | 'feedToken'
  | 'ownNodeToken'
  | 'reload'
  | 'rotate';

const LOOPBACK = ['127.0.0.0/8', '::1'] as const;

/** Fills in defaults. Throws for invalid options, which are a mistake of the calling program. */
export function configOf(options: CoordinatorOptions): Config {
  const config: Config = {
    listen: { host: '127.0.0.1', port: DEFAULT_CONTROL_PORT },
    ownListeners: [],
    name: 'coordinator',
    heartbeatMs: DEFAULT_HEARTBEAT_MS,
    suspectMs: DEFAULT_SUSPECT_MS,
    leaseMs: DEFAULT_LEASE_MS,
    learningMs: 10_000,
    settleMs: 15_000,
    balancers: [],
    ownAlgorithms: [],
    assets: new Map(),
    adminAllow: LOOPBACK,
    nodeAllow: [],
    controlHosts: [],
    controlTrustedProxies: [],
    clocks: systemClocks,
    lostLogLines: () => 0,
    ...options,
    quotas: { ...QUOTA_DEFAULTS, ...options.quotas },
  };
  for (const [name, value] of Object.entries(config.quotas))
    if (!Number.isInteger(value) || value < 1 || value > MAX_QUOTA)
      throw new TypeError(`quota ${name} is ${value}, not a whole number from 1 to ${MAX_QUOTA}`);
  const { heartbeatMs, suspectMs, leaseMs } = config;
  if (!(heartbeatMs >= 20 && suspectMs >= 2 * heartbeatMs && leaseMs > suspectMs))
    throw new TypeError(
      `heartbeat ${heartbeatMs} ms, suspect ${suspectMs} ms and lease ${leaseMs} ms do not fit: suspect must be at least two heartbeats, lease more than suspect`,
    );
  for (const ranges of [config.adminAllow, config.nodeAllow, config.controlTrustedProxies]) new CidrList(ranges);
  new AllowedPeers(config.mcmp?.allow ?? []);
  if (config.advertise !== undefined && parseAnnouncedUrl(config.advertise) === undefined)
    throw new TypeError(`advertise ${printableUrl(config.advertise)} is not an address like ws://10.0.0.2:8400`);
  return config;
}
