/** Options of an application and their parser, which accepts any value: the configuration may be untyped. */
import { isObject } from '@rollcall/protocol';
import type { ClientTlsFiles } from './client-tls.ts';
import type { OwnMetricOptions } from './load/load-meter.ts';
import type { NodeDescription } from './registration.ts';
import { DEFAULT_SIGNALS, SHUTDOWN_SIGNALS, type ShutdownSignal } from './shutdown.ts';

export interface RollcallOptions extends NodeDescription {
  /**
   * Whether the SDK is active, default true. `false`: it opens no connection, sends nothing and adds nothing to responses.
   * `ROLLCALL_URL=off` and test runners have the same effect; see README.
   */
  readonly enabled?: boolean;
  /** Port of the node, 1–65535. Default: the port of the attached server. */
  readonly port?: number;
  /** Addresses of coordinators, tried in order; default `ROLLCALL_URL`, else `ws://localhost:8400`, then `ws://rollcall:8400`. */
  readonly coordinator?: string | readonly string[];
  /** Join token; default `ROLLCALL_JOIN_TOKEN`, else the content of the file `ROLLCALL_JOIN_TOKEN_FILE`. */
  readonly token?: string;
  /**
   * Path of a PEM file with the authorities of the coordinator's certificate, for `wss`. Default: `ROLLCALL_CA`, else the
   * authorities that Node.js trusts. Read for each connection, like `cert` and `key`.
   */
  readonly ca?: string;
  /** Path of a PEM file with a client certificate for `wss`; default `ROLLCALL_CLIENT_CERT`, else none. Needs `key`. */
  readonly cert?: string;
  /** Path of a PEM file with the private key of `cert`; default `ROLLCALL_CLIENT_KEY`. */
  readonly key?: string;
  /** Drain time of sessions before requests stop, in milliseconds, 0 to one day; default 0: sessions move at once. */
  readonly drainSessionsMs?: number;
  /** Drain time of requests in flight before they are cut, in milliseconds, 0 to one day; default 8,000. */
  readonly drainRequestsMs?: number;
  /**
   * Signals that start an orderly shutdown: `SIGTERM`, `SIGINT`, `SIGHUP`, `SIGQUIT` or `SIGUSR2`. Default: the first two;
   * an empty list handles no signal. See `shutdown.ts` for the end of the process.
   */
  readonly signals?: readonly ShutdownSignal[];
  /** Initial readiness, default true; see `RollcallNode.ready`. */
  readonly ready?: boolean;
  /** Requests in flight at load 1, above 0: the load is n / capacity. Default: the load is n / (n + 64). */
  readonly capacity?: number;
  /** Returns the number of active sessions, a whole number from 0; called four times a second. Default: unknown. */
  readonly sessions?: () => number;
  /** Capacities and weights of the built-in metrics; README has the defaults. Weight 0 excludes a metric from the load. */
  readonly metrics?: OwnMetricOptions;
  /**
   * `max`, the default: the load is the largest part of a limit, or the weighted mean of the other metrics if that is
   * larger. `mean`: the load is the weighted mean of all metrics, as in mod_cluster.
   */
  readonly loadBy?: 'max' | 'mean';
  /** Whether responses carry the field `rollcall-load`, which the proxy strips; default true. */
  readonly loadHeader?: boolean;
  /** Receives each log line; default `console.warn`. Its errors are ignored. */
  readonly log?: (line: string) => void;
}

/** The options with their defaults. Each value has its type and range, for any input. */
export interface Settings {
  readonly isEnabled: boolean;
  /** The description as plain JSON data, `undefined` if it is not. Not checked against the rules of the coordinator yet. */
  readonly description: NodeDescription | undefined;
  readonly port: number | undefined;
  readonly coordinator: string | readonly string[] | undefined;
  readonly token: string | undefined;
  readonly tlsFiles: ClientTlsFiles;
  readonly drainSessionsMs: number;
  readonly drainRequestsMs: number;
  readonly signals: readonly ShutdownSignal[];
  readonly isReady: boolean;
  readonly capacity: number | undefined;
  readonly sessions: (() => unknown) | undefined;
  readonly metrics: OwnMetricOptions;
  readonly isMean: boolean;
  readonly hasLoadHeader: boolean;
  readonly log: ((line: string) => void) | undefined;
  /** Problems of the options, each as one sentence for the log. */
  readonly problems: readonly string[];
}

const DAY_MS = 86_400_000;
const DRAIN_REQUESTS_MS = 8_000;

/** Options that describe the node; the other options configure the agent. */
const DESCRIPTION = {
  balancer: true,
  id: true,
  route: true,
  url: true,
  contexts: true,
  stripPrefix: true,
  hosts: true,
  weight: true,
  group: true,
  version: true,
  keepAliveMs: true,
  publicUrl: true,
  sticky: true,
  meta: true,
} as const satisfies Record<keyof NodeDescription, true>;

const STEERING = {
  enabled: true,
  port: true,
  coordinator: true,
  token: true,
  ca: true,
  cert: true,
  key: true,
  drainSessionsMs: true,
  drainRequestsMs: true,
  signals: true,
  ready: true,
  capacity: true,
  sessions: true,
  metrics: true,
  loadBy: true,
  loadHeader: true,
  log: true,
} as const satisfies Record<Exclude<keyof RollcallOptions, keyof NodeDescription>, true>;

/** Parses the options of `rollcall()`. Never throws: invalid values are in `problems`, or have their default. */
export function readOptions(options: unknown): Settings {
  const problems: string[] = [];
  const given = properties(options);
  for (const name of given.keys()) {
    if (!(name in DESCRIPTION) && !(name in STEERING)) problems.push(`unknown option ${JSON.stringify(name)}; ignored`);
  }
  const description: Record<string, unknown> = {};
  for (const name of Object.keys(DESCRIPTION)) if (given.has(name)) description[name] = given.get(name);
  const durationMs = (name: string, fallbackMs: number): number => {
    const value = given.get(name);
    if (value === undefined) return fallbackMs;
    if (typeof value === 'number' && value >= 0 && value <= DAY_MS) return value;
    problems.push(`the option ${name} is not a number of milliseconds from 0 to ${DAY_MS}; using ${fallbackMs}`);
    return fallbackMs;
  };
  const port = given.get('port');
  const capacity = given.get('capacity');
  return {
    isEnabled: given.get('enabled') !== false,
    description: plainCopy(description) as NodeDescription | undefined,
    port: typeof port === 'number' ? port : undefined,
    coordinator: plainCopy(given.get('coordinator')) as string | readonly string[] | undefined,
    token: typeof given.get('token') === 'string' ? (given.get('token') as string) : undefined,
    tlsFiles: tlsFilesOf(given, problems),
    drainSessionsMs: durationMs('drainSessionsMs', 0),
    drainRequestsMs: durationMs('drainRequestsMs', DRAIN_REQUESTS_MS),
    signals: signalsOf(given.get('signals'), problems),
    isReady: given.get('ready') !== false,
    capacity: typeof capacity === 'number' && Number.isFinite(capacity) && capacity > 0 ? capacity : undefined,
    sessions: functionOf<() => unknown>(given.get('sessions')),
    metrics: metricsOf(given.get('metrics')),
    isMean: given.get('loadBy') === 'mean',
    hasLoadHeader: given.get('loadHeader') !== false,
    log: functionOf<(line: string) => void>(given.get('log')),
    problems,
  };
}

/** Accepts paths only, not PEM text: the files are read for each connection. */
function tlsFilesOf(given: ReadonlyMap<string, unknown>, problems: string[]): ClientTlsFiles {
  const files: { ca?: string; cert?: string; key?: string } = {};
  for (const name of ['ca', 'cert', 'key'] as const) {
    const path = given.get(name);
    if (typeof path === 'string' && !path.includes('-----BEGIN')) files[name] = path;
    else if (path !== undefined) problems.push(`the option ${name} is not the path of a file in PEM form`);
  }
  return files;
}

function signalsOf(given: unknown, problems: string[]): readonly ShutdownSignal[] {
  if (given === undefined) return DEFAULT_SIGNALS;
  const names: unknown = plainCopy(given);
  const known = SHUTDOWN_SIGNALS.filter((signal) => Array.isArray(names) && names.includes(signal));
  if (!Array.isArray(names) || names.some((name) => !SHUTDOWN_SIGNALS.includes(name as ShutdownSignal)))
    problems.push(`the option signals is not a list of ${SHUTDOWN_SIGNALS.join(', ')}`);
  return Array.isArray(names) ? known : DEFAULT_SIGNALS;
}

function metricsOf(given: unknown): OwnMetricOptions {
  const copy = plainCopy(given);
  return isObject(copy) ? copy : {};
}

function functionOf<Shape>(value: unknown): Shape | undefined {
  return typeof value === 'function' ? (value as Shape) : undefined;
}

/** The readable properties, including properties of the prototype. Reading stops at a getter that throws. */
function properties(options: unknown): ReadonlyMap<string, unknown> {
  const found = new Map<string, unknown>();
  if (typeof options !== 'object' || options === null) return found;
  try {
    for (const name in options) found.set(name, (options as Record<string, unknown>)[name]);
  } catch {
    // The properties that were read before the error are used.
  }
  return found;
}

/**
 * A copy of `value` as plain JSON data, which has no getters and no proxies. `undefined` if `value` is not serialisable.
 */
function plainCopy(value: unknown): unknown {
  try {
    const text = JSON.stringify(value);
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
