/**
 * One connection to Redis with the settings that make it fail fast and never do a thing twice behind our back, and with
 * its problems told once per change.
 */
import { Redis } from 'ioredis';

export interface RedisConnectionOptions {
  /** `redis://` or `rediss://`, with user, password and database as ioredis understands them. */
  readonly url: string;
  /** Milliseconds after which a command is given up; `undefined` for a connection that blocks on purpose. */
  readonly commandTimeoutMs: number | undefined;
  readonly onProblem: (message: string) => void;
  readonly onReady: () => void;
}

/** Milliseconds after which a connect is given up. */
const CONNECT_TIMEOUT_MS = 1_000;
const MAX_RECONNECT_MS = 2_000;

/** Connects, and connects again for as long as it is not closed. */
export function connectRedis({ url, commandTimeoutMs, onProblem, onReady }: RedisConnectionOptions): Redis {
  const redis = new Redis(url, {
    protocol: 2,
    connectTimeout: CONNECT_TIMEOUT_MS,
    ...(commandTimeoutMs !== undefined && { commandTimeout: commandTimeoutMs }),
    // A command that cannot be sent now fails now; whoever sent it decides what that means.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // A compare-and-set that was cut off ran twice with this on.
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempt) => Math.min(MAX_RECONNECT_MS, 50 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2),
  });
  let isReady = false;
  let told = '';
  const tell = (message: string): void => {
    if (message === told) return;
    told = message;
    onProblem(message);
  };
  redis.on('error', (error: Error) => tell(`redis: ${reasonOf(error)}`));
  // Redis that is back at once refuses no connection: without this its restart would go unmentioned.
  redis.on('reconnecting', () => {
    if (isReady) tell('redis: the connection was lost; connecting again');
    isReady = false;
  });
  redis.on('ready', () => {
    isReady = true;
    told = '';
    onReady();
  });
  return redis;
}

/** Node gives several refused addresses an error without a message. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== '') return error.message;
  return error instanceof AggregateError ? error.errors.map(reasonOf).join('; ') : error.name;
}
