/** Bounds on everything a stranger, or a node, can make the engine keep or wait for. */
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
  /** Time for a whole head from its first octet, milliseconds. Default 10,000; then 408. */
  readonly headerTimeoutMs: number;
  /** Silence of a client in the middle of a body, milliseconds. Default 30,000; then 408. */
  readonly bodyTimeoutMs: number;
  /** Slowest body of a client once `bodyGraceMs` are over, octets per second. Default 240; 0 takes any. Then 408. */
  readonly minBodyBytesPerSecond: number;
  /** How long a body may be slower than that, milliseconds. Default 5,000. */
  readonly bodyGraceMs: number;
  /** How long a client may take nothing of an answer that waits for it, milliseconds. Default 60,000; then it is cut. */
  readonly clientStallMs: number;
  /** Idle time of a kept-alive client connection, milliseconds. Default 60,000. */
  readonly idleTimeoutMs: number;
  /** Time to connect to a node, milliseconds. Default 1,000; then another node, or 504. */
  readonly connectTimeoutMs: number;
  /** Silence of a node that has the request, until its response head is whole, milliseconds. Default 30,000; then 504. */
  readonly upstreamTimeoutMs: number;
  /** Silence of a node within its response, milliseconds. Default 60,000; then the answer is cut. */
  readonly upstreamIdleMs: number;
  /** The same within an answer of type `text/event-stream`, milliseconds. Default 3,600,000; at least `upstreamIdleMs` counts. */
  readonly eventStreamIdleMs: number;
  /** Silence of an upgraded connection in both directions, milliseconds. Default 3,600,000. */
  readonly tunnelIdleMs: number;
  /** Client connections at once. Default 20,000; one more takes the place of one that has asked for nothing, or is closed unread. */
  readonly maxConnections: number;
  /** Of these from one address that is no trusted proxy. Default a quarter, 5,000; one more is closed unread. */
  readonly maxConnectionsPerAddress: number;
  /** Requests of one connection. Default 10,000; the last one's answer closes it, and the client comes back on a new one. */
  readonly maxRequestsPerConnection: number;
  /** Requests that wait for a node at once. Default 10,000; one more is 503. */
  readonly maxParked: number;
  /** What they may hold together, octets of heads and bodies. Default 67,108,864 (64 MiB). */
  readonly maxParkedBytes: number;
  /** Request body kept for another attempt, octets. Default 65,536. A longer one is attempted once. */
  readonly maxReplayBytes: number;
  /** Idle connections kept to one node. Default 256. */
  readonly maxIdlePerNode: number;
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
  maxConnections: 20_000,
  maxConnectionsPerAddress: 5_000,
  maxRequestsPerConnection: 10_000,
  maxParked: 10_000,
  maxParkedBytes: 67_108_864,
  maxReplayBytes: 65_536,
  maxIdlePerNode: 256,
};

const DAY_MS = 86_400_000;

/** Smallest and largest value of each. */
const RANGES: Readonly<Record<keyof EngineLimits, readonly [lowest: number, highest: number]>> = {
  maxLineBytes: [1_024, 65_536],
  maxFieldBytes: [1_024, 1_048_576],
  maxFields: [8, 10_000],
  maxExtensionBytes: [0, 1_048_576],
  maxTrailerBytes: [0, 1_048_576],
  maxInterim: [1, 1_000],
  headerTimeoutMs: [1, DAY_MS],
  bodyTimeoutMs: [1, DAY_MS],
  minBodyBytesPerSecond: [0, 1_000_000],
  bodyGraceMs: [0, DAY_MS],
  clientStallMs: [1, DAY_MS],
  idleTimeoutMs: [1, DAY_MS],
  connectTimeoutMs: [1, DAY_MS],
  upstreamTimeoutMs: [1, DAY_MS],
  upstreamIdleMs: [1, DAY_MS],
  eventStreamIdleMs: [1, DAY_MS],
  tunnelIdleMs: [1, DAY_MS],
  maxConnections: [1, 1_000_000],
  maxConnectionsPerAddress: [1, 1_000_000],
  maxRequestsPerConnection: [1, 1_000_000_000],
  maxParked: [0, 1_000_000],
  maxParkedBytes: [0, 1_073_741_824],
  maxReplayBytes: [0, 1_048_576],
  maxIdlePerNode: [0, 65_536],
};

/** The defaults with `changes` over them. Throws a RangeError that names the first value out of its range. */
export function checkedLimits(changes: Partial<EngineLimits> = {}): EngineLimits {
  const limits = { ...DEFAULT_LIMITS, ...changes };
  let name: keyof EngineLimits;
  for (name in RANGES) {
    const [lowest, highest] = RANGES[name];
    const value = limits[name];
    if (!Number.isInteger(value) || value < lowest || value > highest)
      throw new RangeError(`${name} is ${value}: it must be a whole number from ${lowest} to ${highest}`);
  }
  return limits;
}
