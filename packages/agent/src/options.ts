/** What an application may set, and how it is read: total, because the values come out of a configuration. */
import { isObject } from '@rollcall/protocol';
import type { ClientTlsFiles } from './client-tls.ts';
import type { OwnMetricOptions } from './load/load-meter.ts';
import type { NodeDescription } from './registration.ts';
import { DEFAULT_SIGNALS, SHUTDOWN_SIGNALS, type ShutdownSignal } from './shutdown.ts';

export interface RollcallOptions extends NodeDescription {
  /**
   * Whether the SDK does anything at all, default true. `false`: nothing is opened, sent or added to answers. So it is as
   * well with `ROLLCALL_URL=off`, and in test runners; README has the rule.
   */
  readonly enabled?: boolean;
  /** Port of the node when it is not that of an attached server. */
  readonly port?: number;
  /** Coordinators to go round, in order; default `ROLLCALL_URL`, else `ws://localhost:8400`, then `ws://rollcall:8400`. */
  readonly coordinator?: string | readonly string[];
  /** Join token; default `ROLLCALL_JOIN_TOKEN`, else the file named by `ROLLCALL_JOIN_TOKEN_FILE`. */
  readonly token?: string;
  /**
   * File (PEM) of the authorities that sign the coordinator's certificate, for `wss`; default `ROLLCALL_CA`, else those
   * that Node.js trusts. Read for each connection, as `cert` and `key` are.
   */
  readonly ca?: string;
  /** File (PEM) of a client certificate for `wss`; default `ROLLCALL_CLIENT_CERT`, else none. Needs `key`. */
  readonly cert?: string;
  /** File (PEM) of its private key; default `ROLLCALL_CLIENT_KEY`. */
  readonly key?: string;
  /** How long sessions may end before the node leaves, in milliseconds, at most a day; default 0: they move at once. */
  readonly drainSessionsMs?: number;
  /** How long requests in flight may take before they are cut, in milliseconds, at most a day; default 8,000. */
  readonly drainRequestsMs?: number;
  /**
   * Signals at which the node leaves in order, of `SIGTERM`, `SIGINT`, `SIGHUP`, `SIGQUIT` and `SIGUSR2`; default the
   * first two, empty for none. `shutdown.ts` says how the process then ends.
   */
  readonly signals?: readonly ShutdownSignal[];
  /** Whether the node begins as ready, default true; see `RollcallNode.ready`. */
  readonly ready?: boolean;
  /** Requests at once that the node serves well; makes in-flight a linear load. Default: n / (n + 64). */
  readonly capacity?: number;
  /** Active sessions, when the application knows. */
  readonly sessions?: () => number;
  /** Other capacities and weights for what the agent measures itself; README has the table. Weight 0 leaves one out of the load. */
  readonly metrics?: OwnMetricOptions;
  /**
   * `max`, the default: the load is what the node has least of, or the mean of the application's metrics when that is
   * more. `mean`: the weighted mean of everything, as in mod_cluster.
   */
  readonly loadBy?: 'max' | 'mean';
  /** Add the `rollcall-load` field to responses, which the proxy strips; default true. */
  readonly loadHeader?: boolean;
  /** Gets each line for people; default `console.warn`. */
  readonly log?: (line: string) => void;
}

/** The options with their defaults. Whatever was given, each value has its type and range. */
export interface Settings {
  readonly isEnabled: boolean;
  /** As JSON carries it; `undefined` when JSON cannot carry it. The coordinator's rules are not checked yet. */
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
  /** What is wrong with the options, in sentences for people. */
  readonly problems: readonly string[];
}

const DAY_MS = 86_400_000;
const DRAIN_REQUESTS_MS = 8_000;

/** Of the node itself; everything else steers the agent. */
const DESCRIPTION = {
  balancer: true,
  id: true,
  route: true,
  url: true,
  contexts: true,
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

/** Reads what `rollcall()` was given. Never throws. */
export function readOptions(options: unknown): Settings {
  const problems: string[] = [];
  const given = properties(options);
  for (const name of given.keys()) {
    if (!(name in DESCRIPTION) && !(name in STEERING)) problems.push(`there is no option ${JSON.stringify(name)}`);
  }
  const description: Record<string, unknown> = {};
  for (const name of Object.keys(DESCRIPTION)) if (given.has(name)) description[name] = given.get(name);
  const durationMs = (name: string, fallbackMs: number): number => {
    const value = given.get(name);
    if (value === undefined) return fallbackMs;
    if (typeof value === 'number' && value >= 0 && value <= DAY_MS) return value;
    problems.push(`the option ${name} is not a number of milliseconds from 0 to ${DAY_MS}; it is ${fallbackMs}`);
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

/** Paths only: certificates are read for each connection. */
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

/** The properties that can be read, those of a prototype as well; a getter may throw, and then it has none. */
function properties(options: unknown): ReadonlyMap<string, unknown> {
  const found = new Map<string, unknown>();
  if (typeof options !== 'object' || options === null) return found;
  try {
    for (const name in options) found.set(name, (options as Record<string, unknown>)[name]);
  } catch {
    // What could be read before it counts.
  }
  return found;
}

/**
 * `value` as JSON carries it, so that whatever an untyped configuration holds can be looked at without harm; `undefined`
 * when JSON cannot carry it.
 */
function plainCopy(value: unknown): unknown {
  try {
    const text = JSON.stringify(value);
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
