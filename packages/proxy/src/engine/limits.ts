/** Bounds on everything a stranger, or a node, can make the engine keep or wait for. */
export interface EngineLimits {
  /** Longest request line, octets. Default 8,190 (RFC 9112 §3 asks for at least 8,000). */
  readonly maxLineBytes: number;
  /** All fields of a head, octets. Default 32,768. */
  readonly maxFieldBytes: number;
  /** Fields of a head. Default 100. */
  readonly maxFields: number;
  /** Chunk extensions of one message, octets. Default 4,096. */
  readonly maxExtensionBytes: number;
  /** Trailers of one message, octets. Default 8,192. */
  readonly maxTrailerBytes: number;
  /** Interim (1xx) responses to one request. Default 20. */
  readonly maxInterim: number;
  /** Time for a whole head from its first octet, milliseconds. Default 10,000. */
  readonly headerTimeoutMs: number;
  /** Silence of a client in the middle of a body, milliseconds. Default 30,000. */
  readonly bodyTimeoutMs: number;
  /** Idle time of a kept-alive client connection, milliseconds. Default 60,000. */
  readonly idleTimeoutMs: number;
  /** Time to connect to a node, milliseconds. Default 1,000. */
  readonly connectTimeoutMs: number;
  /** Silence of a node before and within a response, milliseconds. Default 60,000. */
  readonly upstreamTimeoutMs: number;
  /** Silence of an upgraded connection in both directions, milliseconds. Default 3,600,000. */
  readonly tunnelIdleMs: number;
  /** Client connections at once. Default 20,000. */
  readonly maxConnections: number;
  /** Requests that wait for a node at once. Default 1,000. */
  readonly maxWaiting: number;
  /** Request body kept for another attempt, octets. Default 65,536. */
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
  idleTimeoutMs: 60_000,
  connectTimeoutMs: 1_000,
  upstreamTimeoutMs: 60_000,
  tunnelIdleMs: 3_600_000,
  maxConnections: 20_000,
  maxWaiting: 1_000,
  maxReplayBytes: 65_536,
  maxIdlePerNode: 256,
};
