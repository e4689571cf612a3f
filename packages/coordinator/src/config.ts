/** What a coordinator is told when it starts. Nothing here or below reads the environment or the command line. */
import type { Store } from '@rollcall/core';
import type { BalancerName, BalancerPatch, QuotaName } from '@rollcall/protocol';
import {
  DEFAULT_CONTROL_PORT,
  DEFAULT_HEARTBEAT_MS,
  DEFAULT_LEASE_MS,
  DEFAULT_SUSPECT_MS,
  MAX_QUOTA,
  printableUrl,
  QUOTA_DEFAULTS,
} from '@rollcall/protocol';
import type { Logger } from 'pino';
import { type Clocks, systemClocks } from './clocks.ts';
import { CidrList } from './network/addresses.ts';
import type { ControlTls } from './network/control-tls.ts';

/** Where to listen. Port 0 takes any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** A file of a page, ready to send. */
export interface Asset {
  readonly body: string | Buffer;
  /** Content-Type. */
  readonly type: string;
}

/** Settings of one balancer, or of all (`*`), from one source. */
export interface BalancerSettingsOption {
  readonly name: BalancerName | '*';
  readonly source: 'flag' | 'environment' | 'file';
  readonly patch: BalancerPatch;
}

export interface CoordinatorOptions {
  /** Default 127.0.0.1:8400. Beyond loopback a join token is required. */
  readonly listen?: ListenAddress;
  /** Another address for agents and workers alone, so that opening it to nodes does not open the pages. */
  readonly agentsListen?: ListenAddress;
  /** TLS of both addresses. Default: plain HTTP. */
  readonly tls?: ControlTls;
  /** What agents are told as this coordinator's address, `ws://…` or `wss://…`. Default: nothing. */
  readonly advertise?: string;
  /** Remembers the cluster over a restart. Closed by the coordinator. */
  readonly store: Store;
  /** Directory for tokens and the audit; made when it is not there. */
  readonly stateDir: string;
  /** Lets agents in. Without one only agents on this machine may join, and only while the control port is on loopback. */
  readonly joinToken?: string;
  /** Default: made at first start and kept in `stateDir/admin-token`. */
  readonly adminToken?: string;
  /** Lets proxy workers follow the feed. Without one only tokens of role `proxy` in `stateDir/tokens.json` do. */
  readonly feedToken?: string;
  /** For nodes of the program that starts the coordinator, such as `--static`. Other agents need no token because of it. */
  readonly ownNodeToken?: string;
  /** Where the site is, for people. */
  readonly proxyUrl: string;
  /** Host and port of other listeners of ours, such as proxy and Redis, which no node may announce as its own. */
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
  /** How long sessions wait for missing nodes after a start. Default 10,000. */
  readonly learningMs?: number;
  /** How long after a start what is missing may only be late. Default 15,000. */
  readonly settleMs?: number;
  readonly balancers?: readonly BalancerSettingsOption[];
  /** Names of algorithms that workers have besides core's. Default: none. */
  readonly ownAlgorithms?: readonly string[];
  /** Pages by path, e.g. `/balancer-manager`. Default: none. */
  readonly assets?: ReadonlyMap<string, Asset>;
  /** Ranges that may use the admin API and the pages, besides tokens. Default: loopback. */
  readonly adminAllow?: readonly string[];
  /** Ranges that nodes may be in besides the address they register from. Default: none. */
  readonly nodeAllow?: readonly string[];
  /**
   * Ranges of TLS proxies in front of the control and agents ports. Their `X-Forwarded-For` gives the address of the client for
   * limits, audit and `adminAllow`, their `X-Forwarded-Proto` whether it speaks TLS. Default: none.
   */
  readonly controlTrustedProxies?: readonly string[];
  /** Names under which the control port may be asked for, besides loopback names and its address. Default: none. */
  readonly controlHosts?: readonly string[];
  /** Where browsers reach the control port, for login links, e.g. `https://rollcall.example.net`. Default: where it listens. */
  readonly controlUrl?: string;
  /** Bounds on what one token, one balancer and one address may hold, by name. Default: `QUOTA_DEFAULTS` of the protocol. */
  readonly quotas?: Partial<Readonly<Record<QuotaName, number>>>;
  /** Has the settings read again; resolves with what has changed, rejects with why nothing has. Default: that cannot be. */
  readonly reload?: () => Promise<string>;
  /** Has log files opened again; resolves with what was done, rejects with why nothing was. Default: that cannot be. */
  readonly rotate?: () => Promise<string>;
  readonly clocks?: Clocks;
  readonly log: Logger;
  /** Lines of `log` that were lost since the start. Default: none are. */
  readonly lostLogLines?: () => number;
}

/** The options with all defaults filled in. */
export type Config = Required<Omit<CoordinatorOptions, Optional | 'quotas'>> &
  Pick<CoordinatorOptions, Optional> & { readonly quotas: Readonly<Record<QuotaName, number>> };

type Optional =
  | 'agentsListen'
  | 'tls'
  | 'advertise'
  | 'controlUrl'
  | 'joinToken'
  | 'adminToken'
  | 'feedToken'
  | 'ownNodeToken'
  | 'reload'
  | 'rotate';

const LOOPBACK = ['127.0.0.0/8', '::1'] as const;

/** Fills defaults in and throws for what cannot be: the program that starts us has made a mistake. */
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
  if (config.advertise !== undefined && !/^wss?:\/\/[^@?#\s]{1,500}$/.test(config.advertise))
    throw new TypeError(`advertise ${printableUrl(config.advertise)} is not an address like ws://10.0.0.2:8400`);
  return config;
}
