/**
 * Idle connections to one node, used last in first out: the warmest is taken, and the others age until they are closed.
 *
 * A connection that the node may be about to close is not used. When the node has announced how long it keeps idle
 * connections, they are used until that time less a margin of min(1 s, a quarter). When it has not, it shows it: what was
 * idle for so long, or is the coldest here and still open, proves that others may be idle as long, less the same margin.
 * Until then they are used for 1 s. All that is for requests that may be repeated. The others take a connection of a node
 * that has announced nothing for 200 ms only: nearly every POST that met a closing connection was lost when this was
 * measured.
 *
 * A program that serves one connection at a time, or as many as it has threads, waits on idle connections and accepts no
 * others. So idle connections are closed while a fresh one has had no octet of an answer for 250 ms.
 */

/** How long a connection of unknown keep-alive is used for idempotent requests at least, milliseconds. */
const UNKNOWN_IDLE_MS = 1_000;
/** The same for requests that must not be repeated: so long at most. */
const UNKNOWN_IDLE_UNSAFE_MS = 200;
/** How long one is kept that the node does not close, milliseconds. */
const MAX_UNKNOWN_IDLE_MS = 60_000;

/** A fresh connection that has waited so long for its first octet may wait for an idle one to close, milliseconds. */
const STARVING_MS = 250;

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
  /** When the connect was begun. */
  readonly openedAtMs: number;
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
  /** Idle as well, but each belongs to one client connection, and only that may use it. */
  readonly #bound = new Set<Connection>();
  /** Fresh connections without an octet of an answer, in the order in which they were opened. */
  readonly #waiting: Connection[] = [];
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

  /** A fresh connection has been opened for a request. */
  opened(connection: Connection): void {
    this.#waiting.push(connection);
    // Idle connections that are too old to be used may be what the node waits on.
    const starvingAtMs = this.#starvingAtMs();
    for (const idle of this.#idle) idle.deadlineMs = Math.min(idle.deadlineMs, starvingAtMs);
  }

  /** The first octet has come on a fresh connection. Servers accept in order: those opened before it are accepted as well. */
  answered(connection: Connection): void {
    const at = this.#waiting.indexOf(connection);
    if (at >= 0) this.#waiting.splice(0, at + 1);
  }

  /** Keeps a connection whose exchange is over. */
  give(connection: Connection, nowMs: number): void {
    if (this.#isClosed || this.#idle.length >= this.#maxIdle || this.#starvingAtMs() <= nowMs) {
      connection.destroy();
      return;
    }
    rest(connection, nowMs);
    connection.deadlineMs = Math.min(connection.deadlineMs, this.#starvingAtMs());
    this.#idle.push(connection);
  }

  /** Whether an idle connection that has come to its deadline is to be closed. Otherwise it has a later one now. */
  isDue(connection: Connection, nowMs: number): boolean {
    const restUntilMs = restDeadline(connection);
    if (nowMs >= restUntilMs || this.#starvingAtMs() <= nowMs) return true;
    connection.deadlineMs = Math.min(restUntilMs, this.#starvingAtMs());
    return false;
  }

  /** When the fresh connection that waits longest counts as starving; infinite without one. */
  #starvingAtMs(): number {
    const longest = this.#waiting[0];
    return longest === undefined ? Number.POSITIVE_INFINITY : longest.openedAtMs + STARVING_MS;
  }

  /** Keeps a connection for the client connection that it belongs to. */
  giveBound(connection: Connection, nowMs: number): void {
    if (this.#isClosed) {
      connection.destroy();
      return;
    }
    rest(connection, nowMs);
    this.#bound.add(connection);
  }

  /** True when `connection`, kept by `giveBound`, is still open; it is then in use. */
  takeBound(connection: Connection): boolean {
    return this.#bound.delete(connection);
  }

  /** An idle connection has come to its deadline and was still open. */
  outlasted({ keepAliveMs, idleSinceMs }: Connection, nowMs: number): void {
    if (keepAliveMs === undefined) this.#provenMs = Math.max(this.#provenMs, nowMs - idleSinceMs);
  }

  /** The node has closed an idle connection: it keeps them for so long, whatever it did before. */
  closedByNode({ keepAliveMs, idleSinceMs }: Connection, nowMs: number): void {
    if (keepAliveMs === undefined) this.#provenMs = nowMs - idleSinceMs;
  }

  /** A connection has gone. */
  drop(connection: Connection): void {
    const waitingAt = this.#waiting.indexOf(connection);
    if (waitingAt >= 0) this.#waiting.splice(waitingAt, 1);
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#bound.delete(connection);
  }

  /** Closes the idle connections: the node does not answer on them. */
  empty(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
    for (const connection of this.#bound) connection.destroy();
  }

  /** The node is gone: idle connections close now, busy ones when their exchange is over. */
  close(): void {
    this.#isClosed = true;
    this.empty();
  }
}

/** From now on it is idle, until the node may be about to close it. */
function rest(connection: PooledConnection, nowMs: number): void {
  connection.idleSinceMs = nowMs;
  connection.deadlineMs = restDeadline(connection);
}

function restDeadline({ idleSinceMs, keepAliveMs }: PooledConnection): number {
  return idleSinceMs + (keepAliveMs === undefined ? MAX_UNKNOWN_IDLE_MS : lessMargin(keepAliveMs));
}
