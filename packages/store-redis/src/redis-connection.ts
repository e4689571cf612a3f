/**
 * A connection to Redis, to the master that Sentinel names, or to a Redis Cluster. It fails fast, never repeats a command by itself, and reports
 * a problem once until the problem changes.
 */
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { RedisAddress } from './redis-address.ts';
import { problemOf, RedisProblem } from './redis-problem.ts';

export interface RedisConnectionOptions {
  readonly address: RedisAddress;
  /** Certificate authorities in the place of those of Node.js, PEM. Only for addresses with TLS. */
  readonly ca: string | undefined;
  /** Time limit of a command, milliseconds. */
  readonly commandTimeoutMs: number;
  /** Called once per problem of the connection, until it is another one. Errors of commands reject instead. */
  readonly onProblem: (problem: RedisProblem) => void;
  /** Called after each connect. */
  readonly onReady: () => void;
}

/** Time limit of a connection attempt, milliseconds. */
const CONNECT_TIMEOUT_MS = 1_000;
/** Longest pause between two connection attempts, milliseconds. */
const MAX_RECONNECT_MS = 2_000;
/** A connection that has not answered for this long is replaced, milliseconds. */
const SILENCE_MS = 3_000;
/** Greatest number of different problems that are reported between two answers. */
const MAX_REPORTED = 16;
/** Interval of the probes of TCP, milliseconds. */
const KEEP_ALIVE_MS = 10_000;

/** Connects, and reconnects with exponential backoff until `close`. */
export class RedisConnection {
  readonly #client: Redis | Cluster;
  readonly #options: RedisConnectionOptions;
  /** Why there is no connection that has answered; `undefined` while there is one. */
  #cause: RedisProblem | undefined;
  /** Messages since the last answer. Two problems may alternate, as those of Sentinels and of the former master. */
  readonly #reported = new Set<string>();
  /** Connections in a row that have answered no command, as those to another program, or of a user that Redis refuses. */
  #unanswered = 0;
  #isReady = false;
  /** The connection is in the wrong database, and is closed. */
  #isUnusable = false;
  #isClosed = false;

  constructor(options: RedisConnectionOptions) {
    this.#options = options;
    this.#client = connect(options, (attempt) => reconnectDelay(Math.max(attempt, this.#unanswered)));
    // Two classes of one shape, which TypeScript cannot call through their union.
    const events = this.#client as Redis;
    events.on('error', (error: Error) => this.#fail(error));
    // A quick restart of Redis refuses no connection, so there is no error event to report.
    events.on('close', () => {
      if (this.#isReady && this.#cause === undefined)
        this.#report(new RedisProblem('unreachable', 'redis is unreachable (connection lost); reconnecting'));
      if (this.#isReady) this.#unanswered += 1;
      this.#isReady = false;
      this.#isUnusable = false;
    });
    events.on('ready', () => {
      if (this.#isUnusable) return;
      this.#isReady = true;
      options.onReady();
    });
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Sends a command. Rejects with a `RedisProblem`. */
  async send<Answer>(command: (client: Redis | Cluster) => Promise<Answer>): Promise<Answer> {
    this.assertOpen();
    if (!this.#isReady)
      throw this.#cause ?? new RedisProblem('unreachable', 'redis is unreachable (no connection yet); connecting');
    try {
      const answer = await command(this.#client);
      this.#works();
      return answer;
    } catch (error) {
      const problem = problemOf(error);
      // The connection is replaced, see `mustReconnect`. Until then this is why there is none.
      if (problem.kind === 'read-only') this.#cause = problem;
      // A lost connection has a cause, which the error of the command lacks.
      throw problem.kind === 'unreachable' ? (this.#cause ?? problem) : problem;
    }
  }

  assertOpen(): void {
    if (this.#isClosed) throw new Error('the store is closed');
  }

  close(): void {
    this.#isClosed = true;
    this.#client.disconnect();
  }

  /** A connection proves nothing before Redis has answered a command. */
  #works(): void {
    this.#cause = undefined;
    this.#reported.clear();
    this.#unanswered = 0;
  }

  #fail(error: Error): void {
    this.#report(problemOf(error));
    const { command } = error as { command?: { name?: unknown } };
    if (command?.name !== 'select') return;
    // ioredis would continue in database 0.
    this.#isUnusable = true;
    this.#client.disconnect(true);
  }

  #report(problem: RedisProblem): void {
    if (this.#isClosed) return;
    this.#cause = problem;
    if (this.#reported.has(problem.message) || this.#reported.size >= MAX_REPORTED) return;
    this.#reported.add(problem.message);
    this.#options.onProblem(problem);
  }
}

function connect(
  { address, ca, commandTimeoutMs }: RedisConnectionOptions,
  delay: (attempt: number) => number,
): Redis | Cluster {
  const { type, hosts, hasTls, user, password, db, master, sentinelPassword } = address;
  const [first] = hosts;
  const tls: ConnectionOptions | undefined = hasTls ? { ...(ca !== undefined && { ca }) } : undefined;
  const shared: CommonOptions = {
    protocol: 2,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: commandTimeoutMs,
    socketTimeout: SILENCE_MS + commandTimeoutMs,
    keepAlive: KEEP_ALIVE_MS,
    maxRetriesPerRequest: 0,
    // With resending, an interrupted compare-and-set ran twice.
    autoResendUnfulfilledCommands: false,
    // The check sends INFO, for which a user may have no permission. Commands report a Redis that is loading, and a replica.
    enableReadyCheck: false,
    disableClientInfo: true,
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password }),
  };
  if (type === 'cluster')
    return new Cluster([...hosts], {
      redisOptions: { ...shared, ...(tls && { tls }) },
      enableOfflineQueue: false,
      clusterRetryStrategy: delay,
      // Certificates are for names.
      ...(hasTls && { dnsLookup: (name, callback) => callback(null, name) }),
    });
  const alone: CommonOptions = {
    ...shared,
    db,
    // A command that cannot be sent now fails now; the caller handles it.
    enableOfflineQueue: false,
    retryStrategy: delay,
    reconnectOnError: mustReconnect,
  };
  if (type === 'sentinel')
    return new Redis({
      ...alone,
      sentinels: [...hosts],
      name: master,
      sentinelRetryStrategy: delay,
      sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
      ...(sentinelPassword !== undefined && { sentinelPassword }),
      ...(tls && { tls, sentinelTLS: tls, enableTLSForSentinelMode: true }),
    });
  const { host, port } = first!;
  return new Redis({
    ...alone,
    host,
    port,
    ...(tls && { tls: { ...tls, ...(isIP(host) === 0 && { servername: host }) } }),
  });
}

/** Its type does not permit `undefined`, which that of the constructors excludes. */
type CommonOptions = Omit<RedisOptions, 'replyMapping'>;

function reconnectDelay(attempt: number): number {
  return Math.min(MAX_RECONNECT_MS, 50 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2);
}

/** After a failover this Redis is a replica. The name or the Sentinels then lead to the new master. */
function mustReconnect(error: Error): boolean {
  return error.message.includes('READONLY');
}
