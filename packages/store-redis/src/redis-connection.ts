/**
 * A connection to Redis that fails fast, never repeats a command by itself, and reports a problem once until the problem changes.
 */
import { Redis } from 'ioredis';

export interface RedisConnectionOptions {
  /** `redis://` or `rediss://`, with user, password and database as ioredis understands them. */
  readonly url: string;
  /** Time limit of a command, milliseconds; `undefined`: none. */
  readonly commandTimeoutMs: number | undefined;
  readonly onProblem: (message: string) => void;
  readonly onReady: () => void;
}

/** Time limit of a connection attempt, milliseconds. */
const CONNECT_TIMEOUT_MS = 1_000;
/** Longest pause between two connection attempts, milliseconds. */
const MAX_RECONNECT_MS = 2_000;

/** Connects, and reconnects with exponential backoff until `disconnect`. `onReady` is called after each connect. */
export function connectRedis({ url, commandTimeoutMs, onProblem, onReady }: RedisConnectionOptions): Redis {
  const redis = new Redis(url, {
    protocol: 2,
    connectTimeout: CONNECT_TIMEOUT_MS,
    ...(commandTimeoutMs !== undefined && { commandTimeout: commandTimeoutMs }),
    // A command that cannot be sent now fails now; the caller handles it.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // With resending, an interrupted compare-and-set ran twice.
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempt) => Math.min(MAX_RECONNECT_MS, 50 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2),
  });
  let isReady = false;
  let reported = '';
  const tell = (message: string): void => {
    if (message === reported) return;
    reported = message;
    onProblem(message);
  };
  redis.on('error', (error: Error) => tell(`redis: ${reasonOf(error)}`));
  // A quick restart of Redis refuses no connection, so there is no error event to report.
  redis.on('reconnecting', () => {
    if (isReady) tell('redis: connection lost; reconnecting');
    isReady = false;
  });
  redis.on('ready', () => {
    isReady = true;
    reported = '';
    onReady();
  });
  return redis;
}

/** The message of an error. An AggregateError of several addresses has none, so the messages of its parts are joined. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== '') return error.message;
  return error instanceof AggregateError ? error.errors.map(reasonOf).join('; ') : error.name;
}
