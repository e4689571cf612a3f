/**
 * Idle connections to one node, used last in first out: the most recently used one is taken, and the others age until they are closed.
 *
 * A connection that the node may be about to close is not used.
 *
 * - If the node has announced its keep-alive time, connections are used until that time less a margin of min(1 s, a quarter).
 * - Otherwise the time is inferred. The idle time of a closed connection, or of the oldest one that is still open, shows how long others
 *   may be idle. The same margin is subtracted. Until then connections are used for 1 s.
 * - Requests that may not be repeated use a connection for at most 200 ms if the node has announced nothing. Nearly every POST on a
 *   closing connection was lost when this was measured.
 *
 * A program that serves one connection at a time, or one per thread, waits on idle connections and accepts no others. So idle connections
 * are closed while a fresh one has had no octet of an answer for 250 ms.
 */

/** Minimum use of a connection of unknown keep-alive for idempotent requests, milliseconds. */
const UNKNOWN_IDLE_MS = 1_000;
/** Maximum use of the same for requests that must not be repeated, milliseconds. */
const UNKNOWN_IDLE_UNSAFE_MS = 200;
/** Time until an idle connection is closed that the node keeps open, milliseconds. */
const MAX_UNKNOWN_IDLE_MS = 60_000;

/** After this time without an octet, a fresh connection may be waiting for an idle one to close, milliseconds. */
const STARVING_MS = 250;

/** How long a connection may be idle and still be used, by the node's announcement alone. */
export function usableIdleMs(keepAliveMs: number | undefined, isIdempotent: boolean): number {
  if (keepAliveMs !== undefined) return lessMargin(keepAliveMs);
  return isIdempotent ? UNKNOWN_IDLE_MS : UNKNOWN_IDLE_UNSAFE_MS;
}

function lessMargin(keepAliveMs: number): number {
  return keepAliveMs - Math.min(1_000, keepAliveMs / 4);
}

/** A connection as the pool sees it. */
export interface PooledConnection {
  /** When the connect began. */
  readonly openedAtMs: number;
  /** Instant its last exchange ended. */
  idleSinceMs: number;
  /** When it is closed unless it is used. */
  deadlineMs: number;
  /** How long the node keeps it when idle; `undefined` if unknown. */
  readonly keepAliveMs: number | undefined;
  destroy(): void;
}

/** Idle connections of several pools together. */
export interface IdleRoom {
  idle: number;
  readonly maxIdle: number;
  /** Closes an idle connection of one of the pools. */
  makeRoom(): void;
}

export class UpstreamPool<Connection extends PooledConnection> {
  readonly #idle: Connection[] = [];
  /** Idle connections that belong to one client connection each; only that one may use them. */
  readonly #bound = new Set<Connection>();
  /** Fresh connections without an octet of an answer, in the order of opening. */
  readonly #waiting: Connection[] = [];
  readonly #maxIdle: number;
  readonly #room: IdleRoom;
  /** Longest idle time after which a connection of unknown keep-alive was still open, milliseconds. */
  #provenMs = 0;
  #isClosed = false;

  constructor(
    maxIdle: number,
    room: IdleRoom = { idle: 0, maxIdle: Number.POSITIVE_INFINITY, makeRoom: () => undefined },
  ) {
    this.#maxIdle = maxIdle;
    this.#room = room;
  }

  /** The most recently used connection that may be used, or undefined if a fresh one is needed. */
  take(isIdempotent: boolean, nowMs: number): Connection | undefined {
    const connection = this.#idle.at(-1);
    if (connection === undefined) return undefined;
    const idleMs = nowMs - connection.idleSinceMs;
    // The last is the most recently used: if it is too old, all are.
    if (idleMs < usableIdleMs(connection.keepAliveMs, isIdempotent)) return this.#pop();
    if (!isIdempotent) {
      // The fresh one takes its place. Otherwise a few of these per minute would fill the pool.
      this.#pop();
      connection.destroy();
      return undefined;
    }
    return this.#isProven(connection, idleMs, nowMs) ? this.#pop() : undefined;
  }

  #pop(): Connection | undefined {
    this.#room.idle--;
    return this.#idle.pop();
  }

  #isProven({ keepAliveMs }: Connection, idleMs: number, nowMs: number): boolean {
    const coldestMs = nowMs - this.#idle[0]!.idleSinceMs;
    return keepAliveMs === undefined && idleMs < lessMargin(Math.max(this.#provenMs, coldestMs));
  }

  /** A fresh connection has been opened for a request. */
  opened(connection: Connection): void {
    this.#waiting.push(connection);
    // The node may be waiting on idle connections that are too old to be used.
    const starvingAtMs = this.#starvingAtMs();
    for (const idle of this.#idle) idle.deadlineMs = Math.min(idle.deadlineMs, starvingAtMs);
  }

  /** The first octet has arrived on a fresh connection. Servers accept in order, so earlier ones are accepted as well. */
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
    const room = this.#room;
    if (room.idle >= room.maxIdle) room.makeRoom();
    room.idle++;
    this.#idle.push(connection);
  }

  /** Closes the connection that has been idle for the longest time; false without one. */
  closeOldest(): boolean {
    const connection = this.#idle.shift();
    if (connection === undefined) return false;
    this.#room.idle--;
    connection.destroy();
    return true;
  }

  /** Whether an idle connection is to be closed at its deadline. Otherwise it has a later one now. */
  isDue(connection: Connection, nowMs: number): boolean {
    const restUntilMs = restDeadline(connection);
    if (nowMs >= restUntilMs || this.#starvingAtMs() <= nowMs) return true;
    connection.deadlineMs = Math.min(restUntilMs, this.#starvingAtMs());
    return false;
  }

  /** When the oldest waiting fresh connection counts as starving; infinite without one. */
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

  /** True if `connection`, kept by `giveBound`, is still open; it is then in use. */
  takeBound(connection: Connection): boolean {
    return this.#bound.delete(connection);
  }

  /** An idle connection was still open at its deadline. */
  outlasted({ keepAliveMs, idleSinceMs }: Connection, nowMs: number): void {
    if (keepAliveMs === undefined) this.#provenMs = Math.max(this.#provenMs, nowMs - idleSinceMs);
  }

  /** The node has closed an idle connection: its keep-alive time is now this idle time. */
  closedByNode({ keepAliveMs, idleSinceMs }: Connection, nowMs: number): void {
    if (keepAliveMs === undefined) this.#provenMs = nowMs - idleSinceMs;
  }

  /** A connection has closed. */
  drop(connection: Connection): void {
    const waitingAt = this.#waiting.indexOf(connection);
    if (waitingAt >= 0) this.#waiting.splice(waitingAt, 1);
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) {
      this.#idle.splice(at, 1);
      this.#room.idle--;
    }
    this.#bound.delete(connection);
  }

  /** Closes the idle connections: the node does not answer on them. */
  empty(): void {
    this.#room.idle -= this.#idle.length;
    for (const connection of this.#idle.splice(0)) connection.destroy();
    for (const connection of this.#bound) connection.destroy();
  }

  /** The node is gone: idle connections close now, busy ones after their exchange. */
  close(): void {
    this.#isClosed = true;
    this.empty();
  }
}

/** The connection is idle from now on, until the node may be about to close it. */
function rest(connection: PooledConnection, nowMs: number): void {
  connection.idleSinceMs = nowMs;
  connection.deadlineMs = restDeadline(connection);
}

function restDeadline({ idleSinceMs, keepAliveMs }: PooledConnection): number {
  return idleSinceMs + (keepAliveMs === undefined ? MAX_UNKNOWN_IDLE_MS : lessMargin(keepAliveMs));
}
