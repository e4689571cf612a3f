import { TIME_LIMIT_KEYS, type TimeLimit, type TimeLimitKey, timeLimitFault } from '@rollcall/protocol';

/** Limits on everything that a client or a node can make the engine keep or wait for. */
export interface EngineLimits {
  /** Longest request line, octets. Default 8,190 (RFC 9112 §3 asks for at least 8,000); a longer one is 414. */
  readonly maxLineBytes: number;
  /** All fields of a head, octets. Default 32,768; more is 431 to a client and 502 from a node. */
  readonly maxFieldBytes: number;
  /** Fields of a head. Default 100; more is 431 or 502. */
  readonly maxFields: number;
  /** Chunk extensions of one message, octets. Default 4,096. */
  readonly maxExtensionBytes: number;
  /** Trailers of one message, octets. Default 8,192. */
  readonly maxTrailerBytes: number;
  /** Interim (1xx) responses to one request. Default 20; more is 502. */
  readonly maxInterim: number;
  /** Time for a complete head from its first octet, milliseconds. Default 10,000; then 408. */
  readonly headerTimeoutMs: number;
  /** Silence of a client within a body, milliseconds. Default 30,000; then 408. Always finite. */
  readonly bodyTimeoutMs: number;
  /** Slowest body of a client after `bodyGraceMs`, octets per second. Default 240; 0 for no limit. Then 408. */
  readonly minBodyBytesPerSecond: number;
  /** How long a body may be slower, milliseconds. Default 5,000. */
  readonly bodyGraceMs: number;
  /** How long a client may read nothing of a waiting answer, milliseconds. Default 60,000; then it is cut. */
  readonly clientStallMs: number;
  /** Idle time of a kept-alive client connection, milliseconds. Default 60,000. */
  readonly idleTimeoutMs: number;
  /** Time to connect to a node, milliseconds. Default 1,000; then another node, or 504. */
  readonly connectTimeoutMs: number;
  /** Silence of a node that has the request, until its response head is complete, milliseconds. Default 30,000; then 504. `Infinity`: no limit. */
  readonly upstreamTimeoutMs: number;
  /** Silence of a node within its response, milliseconds. Default 60,000; then the answer is cut. `Infinity`: no limit. */
  readonly upstreamIdleMs: number;
  /** The same within an answer of type `text/event-stream`, milliseconds. Default 3,600,000; at least `upstreamIdleMs` counts. `Infinity`: no limit. */
  readonly eventStreamIdleMs: number;
  /** Silence of an upgraded connection in both directions, milliseconds. Default 3,600,000. `Infinity`: no limit. */
  readonly tunnelIdleMs: number;
  /**
   * Upgraded connections that have to end are closed over this time, milliseconds. Default 10,000. A longer one spreads the reconnects of
   * clients more and begins earlier: the last close is in time for the end. 0 closes all at once.
   */
  readonly closeWindowMs: number;
  /** Client connections at once. Default 20,000. Another one replaces a connection without a request, or is closed unread. */
  readonly maxConnections: number;
  /** Client connections from one address that is no trusted proxy. Default a quarter, 5,000; another one is closed unread. */
  readonly maxConnectionsPerAddress: number;
  /** Requests of one connection. Default 10,000; the answer to the last one closes it, and the client opens a new one. */
  readonly maxRequestsPerConnection: number;
  /** Requests that wait for a node at once. Default 10,000; another one is 503. */
  readonly maxParked: number;
  /** Octets of heads and bodies that waiting requests may hold together. Default 67,108,864 (64 MiB). */
  readonly maxParkedBytes: number;
  /** Request body kept for another attempt, octets. Default 65,536. A longer one is attempted once. */
  readonly maxReplayBytes: number;
  /** Idle connections kept to one node. Default 256. */
  readonly maxIdlePerNode: number;
  /** Largest packet to a node that speaks AJP, octets. Default 8,192, as in Tomcat; a request whose head does not fit is 431. */
  readonly ajpPacketBytes: number;
}

export const DEFAULT_LIMITS: EngineLimits = {
  maxLineBytes: 8_190,
  maxFieldBytes: 32_768,
  maxFields: 100,
  maxExtensionBytes: 4_096,
  maxTrailerBytes: 8_192,
  maxInterim: 20,
  headerTimeoutMs: 10_000,
  bodyTimeoutMs: 30_000,
  minBodyBytesPerSecond: 240,
  bodyGraceMs: 5_000,
  clientStallMs: 60_000,
  idleTimeoutMs: 60_000,
  connectTimeoutMs: 1_000,
  upstreamTimeoutMs: 30_000,
  upstreamIdleMs: 60_000,
  eventStreamIdleMs: 3_600_000,
  tunnelIdleMs: 3_600_000,
  closeWindowMs: 10_000,
  maxConnections: 20_000,
  maxConnectionsPerAddress: 5_000,
  maxRequestsPerConnection: 10_000,
  maxParked: 10_000,
  maxParkedBytes: 67_108_864,
  maxReplayBytes: 65_536,
  maxIdlePerNode: 256,
  ajpPacketBytes: 8_192,
};

/** Changed limits, in a form that JSON can carry: `none` is `Infinity`. */
export type LimitChanges = { readonly [Key in keyof EngineLimits]?: Key extends TimeLimitKey ? TimeLimit : number };

const DAY_MS = 86_400_000;

/** Smallest and largest value of each limit; those of the others are in protocol. */
const RANGES: Readonly<Record<Exclude<keyof EngineLimits, TimeLimitKey>, readonly [lowest: number, highest: number]>> =
  {
    maxLineBytes: [1_024, 65_536],
    maxFieldBytes: [1_024, 1_048_576],
    maxFields: [8, 10_000],
    maxExtensionBytes: [0, 1_048_576],
    maxTrailerBytes: [0, 1_048_576],
    maxInterim: [1, 1_000],
    headerTimeoutMs: [1, DAY_MS],
    minBodyBytesPerSecond: [0, 1_000_000],
    bodyGraceMs: [0, DAY_MS],
    clientStallMs: [1, DAY_MS],
    idleTimeoutMs: [1, DAY_MS],
    connectTimeoutMs: [1, DAY_MS],
    closeWindowMs: [0, DAY_MS],
    maxConnections: [1, 1_000_000],
    maxConnectionsPerAddress: [1, 1_000_000],
    maxRequestsPerConnection: [1, 1_000_000_000],
    maxParked: [0, 1_000_000],
    maxParkedBytes: [0, 1_073_741_824],
    maxReplayBytes: [0, 1_048_576],
    maxIdlePerNode: [0, 65_536],
    ajpPacketBytes: [8_192, 65_536],
  };

/** The defaults, changed by `changes`. Throws a RangeError that names the first value out of its range. */
export function checkedLimits(changes: LimitChanges = {}): EngineLimits {
  const limits: { -readonly [Key in keyof EngineLimits]: number } = { ...DEFAULT_LIMITS, ...numbers(changes) };
  for (const key of TIME_LIMIT_KEYS) {
    const fault = timeLimitFault(key, limits[key] === Number.POSITIVE_INFINITY ? 'none' : limits[key]);
    if (fault !== undefined) throw new RangeError(fault);
  }
  let name: keyof typeof RANGES;
  for (name in RANGES) {
    const value = limits[name];
    const [lowest, highest] = RANGES[name];
    if (!Number.isInteger(value) || value < lowest || value > highest)
      throw new RangeError(`${name} is ${value}: it must be a whole number from ${lowest} to ${highest}`);
  }
  return limits;
}

function numbers(changes: LimitChanges): Partial<EngineLimits> {
  const entries = Object.entries(changes).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, value === 'none' ? Number.POSITIVE_INFINITY : value]),
  );
}
