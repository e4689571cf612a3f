/**
 * Idle connections to one node, used last in first out: the warmest is taken, and the others age until they are closed.
 *
 * A connection that the node may be about to close is not used. When the node has announced how long it keeps idle
 * connections, they are used until that time less min(1 s, a quarter). When it has not, for 1 s by requests that may be
 * repeated, and for 200 ms by all others: nearly every POST that met a closing connection was lost when this was measured.
 */

/** How long a connection of unknown keep-alive is used for idempotent requests, milliseconds. */
const UNKNOWN_IDLE_MS = 1_000;
/** The same for requests that must not be repeated. */
const UNKNOWN_IDLE_UNSAFE_MS = 200;

/** For how long a connection may be idle and still be used. */
export function usableIdleMs(keepAliveMs: number | undefined, isIdempotent: boolean): number {
  if (keepAliveMs !== undefined) return keepAliveMs - Math.min(1_000, keepAliveMs / 4);
  return isIdempotent ? UNKNOWN_IDLE_MS : UNKNOWN_IDLE_UNSAFE_MS;
}

/** A connection as the pool sees it. */
export interface PooledConnection {
  /** Instant its last exchange ended. */
  idleSinceMs: number;
  /** When it is closed unless it is used. */
  deadlineMs: number;
  /** How long the node keeps it when idle; `undefined` unknown. */
  readonly keepAliveMs: number | undefined;
  destroy(): void;
}

export class UpstreamPool<Connection extends PooledConnection> {
  readonly #idle: Connection[] = [];
  readonly #maxIdle: number;
  #isClosed = false;

  constructor(maxIdle: number) {
    this.#maxIdle = maxIdle;
  }

  /** The warmest usable connection, or undefined when a fresh one is needed. */
  take(isIdempotent: boolean, nowMs: number): Connection | undefined {
    const connection = this.#idle.at(-1);
    if (connection === undefined) return undefined;
    // The last is the warmest: when it is too old, all are.
    if (nowMs - connection.idleSinceMs >= usableIdleMs(connection.keepAliveMs, isIdempotent)) return undefined;
    this.#idle.pop();
    return connection;
  }

  /** Keeps a connection whose exchange is over. */
  give(connection: Connection, nowMs: number): void {
    if (this.#isClosed || this.#idle.length >= this.#maxIdle) {
      connection.destroy();
      return;
    }
    connection.idleSinceMs = nowMs;
    connection.deadlineMs = nowMs + usableIdleMs(connection.keepAliveMs, true);
    this.#idle.push(connection);
  }

  /** An idle connection has gone. */
  drop(connection: Connection): void {
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  /** The node is gone: idle connections close now, busy ones when their exchange is over. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }
}
