/**
 * Idle connections to one node, used last in first out: the warmest is taken, and the others age until they are closed.
 *
 * A connection that the node may be about to close is not used. When the node has announced how long it keeps idle
 * connections, they are used until that time less a margin of min(1 s, a quarter). When it has not, it shows it: what was
 * idle for so long, or is the coldest here and still open, proves that others may be idle as long, less the same margin.
 * Until then they are used for 1 s. All that is for requests that may be repeated. The others take a connection of a node
 * that has announced nothing for 200 ms only: nearly every POST that met a closing connection was lost when this was
 * measured.
 */

/** How long a connection of unknown keep-alive is used for idempotent requests at least, milliseconds. */
const UNKNOWN_IDLE_MS = 1_000;
/** The same for requests that must not be repeated: so long at most. */
const UNKNOWN_IDLE_UNSAFE_MS = 200;
/** How long one is kept that the node does not close, milliseconds. */
const MAX_UNKNOWN_IDLE_MS = 60_000;

/** For how long a connection may be idle and still be used, by what the node has announced alone. */
export function usableIdleMs(keepAliveMs: number | undefined, isIdempotent: boolean): number {
  if (keepAliveMs !== undefined) return lessMargin(keepAliveMs);
  return isIdempotent ? UNKNOWN_IDLE_MS : UNKNOWN_IDLE_UNSAFE_MS;
}

function lessMargin(keepAliveMs: number): number {
  return keepAliveMs - Math.min(1_000, keepAliveMs / 4);
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
  /** Longest idle time after which a connection of unknown keep-alive was still open, milliseconds. */
  #provenMs = 0;
  #isClosed = false;

  constructor(maxIdle: number) {
    this.#maxIdle = maxIdle;
  }

  /** The warmest usable connection, or undefined when a fresh one is needed. */
  take(isIdempotent: boolean, nowMs: number): Connection | undefined {
    const connection = this.#idle.at(-1);
    if (connection === undefined) return undefined;
    const idleMs = nowMs - connection.idleSinceMs;
    // The last is the warmest: when it is too old, all are.
    if (idleMs < usableIdleMs(connection.keepAliveMs, isIdempotent)) return this.#idle.pop();
    if (!isIdempotent) {
      // The fresh one takes its place, or a few of these a minute would fill the pool.
      this.#idle.pop();
      connection.destroy();
      return undefined;
    }
    return this.#isProven(connection, idleMs, nowMs) ? this.#idle.pop() : undefined;
  }

  #isProven({ keepAliveMs }: Connection, idleMs: number, nowMs: number): boolean {
    const coldestMs = nowMs - this.#idle[0]!.idleSinceMs;
    return keepAliveMs === undefined && idleMs < lessMargin(Math.max(this.#provenMs, coldestMs));
  }

  /** Keeps a connection whose exchange is over. */
  give(connection: Connection, nowMs: number): void {
    if (this.#isClosed || this.#idle.length >= this.#maxIdle) {
      connection.destroy();
      return;
    }
    connection.idleSinceMs = nowMs;
    const { keepAliveMs } = connection;
    connection.deadlineMs = nowMs + (keepAliveMs === undefined ? MAX_UNKNOWN_IDLE_MS : lessMargin(keepAliveMs));
    this.#idle.push(connection);
  }

  /** An idle connection has come to its deadline and was still open. */
  outlasted({ keepAliveMs, idleSinceMs }: Connection, nowMs: number): void {
    if (keepAliveMs === undefined) this.#provenMs = Math.max(this.#provenMs, nowMs - idleSinceMs);
  }

  /** The node has closed an idle connection: it keeps them for so long, whatever it did before. */
  closedByNode({ keepAliveMs, idleSinceMs }: Connection, nowMs: number): void {
    if (keepAliveMs === undefined) this.#provenMs = nowMs - idleSinceMs;
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
