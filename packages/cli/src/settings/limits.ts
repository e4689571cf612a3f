/** The bounds of the proxy as `--limit NAME=VALUE` spells them. */
import { checkedLimits, DEFAULT_LIMITS, type EngineLimits } from '@rollcall/proxy';
import { NOT_A_DURATION, parseDuration } from '../duration.ts';
import { CliFailure, EXIT } from '../exit.ts';
import { nearest } from '../nearest.ts';

interface Limit {
  readonly key: keyof EngineLimits;
  readonly unit: 'count' | 'octets' | 'duration';
  readonly help: string;
}

const LIMITS: Readonly<Record<string, Limit>> = {
  connections: { key: 'maxConnections', unit: 'count', help: 'client connections of one worker' },
  'connections-per-address': { key: 'maxConnectionsPerAddress', unit: 'count', help: 'of these from one address' },
  'requests-per-connection': { key: 'maxRequestsPerConnection', unit: 'count', help: 'then it is closed' },
  'request-line': { key: 'maxLineBytes', unit: 'octets', help: 'longest request line' },
  'head-size': { key: 'maxFieldBytes', unit: 'octets', help: 'all fields of a head' },
  fields: { key: 'maxFields', unit: 'count', help: 'fields of a head' },
  'chunk-extensions': { key: 'maxExtensionBytes', unit: 'octets', help: 'of one message' },
  trailers: { key: 'maxTrailerBytes', unit: 'octets', help: 'of one message' },
  'interim-responses': { key: 'maxInterim', unit: 'count', help: '1xx responses to one request' },
  'header-timeout': { key: 'headerTimeoutMs', unit: 'duration', help: 'for a whole request head' },
  'body-timeout': { key: 'bodyTimeoutMs', unit: 'duration', help: 'silence within a request body' },
  'body-rate': { key: 'minBodyBytesPerSecond', unit: 'octets', help: 'a second, slowest request body; 0: any' },
  'body-grace': { key: 'bodyGraceMs', unit: 'duration', help: 'before body-rate counts' },
  'client-stall': { key: 'clientStallMs', unit: 'duration', help: 'a client that takes nothing of its answer' },
  'client-idle': { key: 'idleTimeoutMs', unit: 'duration', help: 'a connection between two requests' },
  'connect-timeout': { key: 'connectTimeoutMs', unit: 'duration', help: 'to connect to a node' },
  'upstream-timeout': { key: 'upstreamTimeoutMs', unit: 'duration', help: 'until a node begins to answer' },
  'upstream-idle': { key: 'upstreamIdleMs', unit: 'duration', help: 'silence of a node within its answer' },
  'tunnel-idle': { key: 'tunnelIdleMs', unit: 'duration', help: 'silence of an upgraded connection' },
  'event-stream-idle': { key: 'eventStreamIdleMs', unit: 'duration', help: 'silence of a node within an event stream' },
  parked: { key: 'maxParked', unit: 'count', help: 'requests that wait for a node' },
  'parked-bytes': { key: 'maxParkedBytes', unit: 'octets', help: 'of heads and bodies that they hold' },
  waiting: { key: 'maxParked', unit: 'count', help: 'earlier name of parked' },
  'replay-body': { key: 'maxReplayBytes', unit: 'octets', help: 'of a request body kept for another attempt' },
  'idle-per-node': { key: 'maxIdlePerNode', unit: 'count', help: 'idle connections kept to one node' },
};

/** One `NAME=VALUE` and the flag it came by. */
export interface LimitText {
  readonly flag: string;
  readonly text: string;
}

/** The limits that `texts` set, later ones over earlier ones. Throws a usage failure for what cannot be. */
export function limitsFrom(texts: readonly LimitText[]): Partial<EngineLimits> {
  const limits: { -readonly [Key in keyof EngineLimits]?: number } = {};
  for (const { flag, text } of texts) {
    const [, name = '', value = ''] = /^([a-z-]+)=(.+)$/.exec(text) ?? [];
    if (name === '') throw usage(`${flag} ${text}: write NAME=VALUE, like connections=20000`);
    const limit = Object.hasOwn(LIMITS, name) ? LIMITS[name] : undefined;
    if (limit === undefined) throw usage(`${flag}: unknown limit ${name}${nearest(name, Object.keys(LIMITS))}`);
    const { key, unit } = limit;
    const number = unit === 'duration' ? parseDuration(value) : /^\d{1,15}$/.test(value) ? Number(value) : undefined;
    const shown = flag === '--limit' ? `--limit ${text}` : `${flag} ${value}`;
    if (number === undefined)
      throw usage(`${shown}: ${value} ${unit === 'duration' ? NOT_A_DURATION : 'is not a number'}`);
    try {
      checkedLimits({ [key]: number });
    } catch (error) {
      throw usage(`${shown}: ${(error as Error).message}`);
    }
    limits[key] = number;
  }
  return limits;
}

/** All limits with their defaults, for `--help`. */
export function limitsHelp(): string {
  const width = Math.max(...Object.keys(LIMITS).map((name) => name.length)) + 2;
  const lines = Object.entries(LIMITS).map(
    ([name, { key, unit, help }]) => `  ${name.padEnd(width)}${shown(DEFAULT_LIMITS[key], unit).padEnd(9)}${help}`,
  );
  return `Limits, with their defaults (--limit connections=50000 tunnel-idle=10m):\n${lines.join('\n')}`;
}

function shown(value: number, unit: Limit['unit']): string {
  return unit === 'duration' ? (value % 60_000 === 0 ? `${value / 60_000}m` : `${value / 1_000}s`) : String(value);
}

function usage(message: string): CliFailure {
  return new CliFailure(message, EXIT.usage);
}
