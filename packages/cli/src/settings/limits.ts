/** Parser and help of `--limit NAME=VALUE`, the limits of the proxy. */
import { TIME_LIMITS, type TimeLimit, timeLimitKey } from '@rollcall/protocol';
import { checkedLimits, DEFAULT_LIMITS, type EngineLimits, type LimitChanges } from '@rollcall/proxy';
import { NOT_A_DURATION, signedDuration } from '../duration.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { nearest } from '../nearest.ts';
import { type Given, inForce, type Source, spelled } from './origins.ts';
import { timeLimitFrom } from './time-limits.ts';

interface Limit {
  readonly key: keyof EngineLimits;
  readonly unit: 'count' | 'octets' | 'duration';
  readonly help: string;
}

const LIMITS: Readonly<Record<string, Limit>> = {
  connections: { key: 'maxConnections', unit: 'count', help: 'most client connections of one worker' },
  'connections-per-address': {
    key: 'maxConnectionsPerAddress',
    unit: 'count',
    help: 'most client connections from one address',
  },
  'requests-per-connection': {
    key: 'maxRequestsPerConnection',
    unit: 'count',
    help: 'most requests on one client connection; then it is closed',
  },
  'request-line': { key: 'maxLineBytes', unit: 'octets', help: 'longest request line' },
  'head-size': { key: 'maxFieldBytes', unit: 'octets', help: 'largest total of all header fields' },
  fields: { key: 'maxFields', unit: 'count', help: 'most header fields' },
  'chunk-extensions': { key: 'maxExtensionBytes', unit: 'octets', help: 'chunk extensions of one message' },
  trailers: { key: 'maxTrailerBytes', unit: 'octets', help: 'trailer fields of one message' },
  'interim-responses': { key: 'maxInterim', unit: 'count', help: 'most 1xx responses to one request' },
  'header-timeout': { key: 'headerTimeoutMs', unit: 'duration', help: 'time limit for a request head' },
  'body-timeout': { key: 'bodyTimeoutMs', unit: 'duration', help: 'idle time limit within a request body' },
  'body-rate': {
    key: 'minBodyBytesPerSecond',
    unit: 'octets',
    help: 'lowest rate of a request body per second; 0: no limit',
  },
  'body-grace': { key: 'bodyGraceMs', unit: 'duration', help: 'time before body-rate applies' },
  'client-stall': {
    key: 'clientStallMs',
    unit: 'duration',
    help: 'idle time limit of a client that does not read its response',
  },
  'client-idle': {
    key: 'idleTimeoutMs',
    unit: 'duration',
    help: 'idle time of a client connection between two requests',
  },
  'connect-timeout': { key: 'connectTimeoutMs', unit: 'duration', help: 'time limit to connect to a node' },
  'upstream-timeout': { key: 'upstreamTimeoutMs', unit: 'duration', help: 'time limit until a node begins to answer' },
  'upstream-idle': { key: 'upstreamIdleMs', unit: 'duration', help: 'idle time limit of a node within its response' },
  'tunnel-idle': { key: 'tunnelIdleMs', unit: 'duration', help: 'idle time limit of an upgraded connection' },
  'close-window': {
    key: 'closeWindowMs',
    unit: 'duration',
    help: 'WebSockets that a drain, stop or reload ends are closed over this time; 0s: all at once',
  },
  'event-stream-idle': {
    key: 'eventStreamIdleMs',
    unit: 'duration',
    help: 'idle time limit of a node within an event stream',
  },
  parked: { key: 'maxParked', unit: 'count', help: 'most requests that wait for a node' },
  'parked-bytes': {
    key: 'maxParkedBytes',
    unit: 'octets',
    help: 'most octets of heads and bodies of waiting requests',
  },
  waiting: { key: 'maxParked', unit: 'count', help: 'earlier name of parked' },
  'replay-body': { key: 'maxReplayBytes', unit: 'octets', help: 'largest request body that is kept for a retry' },
  'idle-per-node': { key: 'maxIdlePerNode', unit: 'count', help: 'most idle connections to one node' },
  'ajp-packet': {
    key: 'ajpPacketBytes',
    unit: 'octets',
    help: 'largest packet to an AJP node; packetSize of its connector',
  },
};

/** One `NAME=VALUE` and the option that has it. */
export interface LimitText {
  readonly flag: string;
  readonly text: string;
  /** Default: the command line. */
  readonly source?: Source;
}

/** The limits that `texts` set. Throws a usage failure for an invalid limit, and for two values from one source. */
export function limitsFrom(texts: readonly LimitText[]): LimitChanges {
  // Only time limits can be none.
  return Object.fromEntries(inForce(texts.map(limitFrom))) as LimitChanges;
}

function limitFrom({ flag, text, source = 'flag' }: LimitText): Given<TimeLimit> {
  const [, name = '', value = ''] = /^([a-z-]+)=(.+)$/.exec(text) ?? [];
  if (name === '') throw usage(`${flag} ${text}: write NAME=VALUE, like connections=20000`);
  const limit = Object.hasOwn(LIMITS, name) ? LIMITS[name] : undefined;
  if (limit === undefined) throw usage(`${flag}: unknown limit ${name}${nearest(name, Object.keys(LIMITS))}`);
  const { key, unit } = limit;
  const isList = flag === '--limit';
  const shown = isList ? `--limit ${text}` : `${flag} ${value}`;
  const spelling = spelled(source, flag.slice('--'.length), isList ? text : value);
  const timeKey = timeLimitKey(name);
  if (timeKey !== undefined) return { source, key, name, spelling, value: timeLimitFrom(timeKey, value, shown) };
  const number = unit === 'duration' ? signedDuration(value) : /^\d{1,15}$/.test(value) ? Number(value) : undefined;
  if (number === undefined)
    throw usage(`${shown}: ${value} ${unit === 'duration' ? NOT_A_DURATION : 'is not a number'}`);
  try {
    checkedLimits({ [key]: number });
  } catch (error) {
    throw usage(`${shown}: ${(error as Error).message}`);
  }
  return { source, key, name, spelling, value: number };
}

const SCOPES = `Limits with * can also be set for one balancer, and for a path prefix within it: here, under "limits" of a balancer
in rollcall.json, and by rollcall balancer. The narrowest scope wins. Their durations are from 1ms to 24h.
  --limit upstream-timeout=1m shop:upstream-timeout=2m shop/export:upstream-timeout=10m shop/files:upstream-idle=none`;

/** All limits with defaults, for `--help`. */
export function limitsHelp(): string {
  const width = Math.max(...Object.keys(LIMITS).map((name) => name.length)) + 2;
  const lines = Object.entries(LIMITS).map(([name, { key, unit, help }]) => {
    const timeKey = timeLimitKey(name);
    const mark = timeKey === undefined ? '' : TIME_LIMITS[timeKey].neverNone === undefined ? ' (*, or none)' : ' (*)';
    return `  ${name.padEnd(width)}${shown(DEFAULT_LIMITS[key], unit).padEnd(9)}${help}${mark}`;
  });
  return `Limits, with their defaults (--limit connections=50000 tunnel-idle=10m):\n${lines.join('\n')}\n${SCOPES}`;
}

function shown(value: number, unit: Limit['unit']): string {
  return unit === 'duration' ? (value % 60_000 === 0 ? `${value / 60_000}m` : `${value / 1_000}s`) : String(value);
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
