/**
 * The deadline of one client connection. It limits the time for a head, a body or an answer, and for the end of the connection. A
 * connection has one deadline at a time. Each method replaces it; all times are on the engine's clock.
 */
import type { Deadlined } from './deadline-sweep.ts';
import type { EngineLimits } from './limits.ts';

/**
 * Time after the last answer until the connection is closed, and again while the client sends, milliseconds. A close with unread octets is a
 * reset, which discards the answer for a client that reads it after its upload (RFC 9112 §9.6).
 */
const LINGER_MS = 2_000;
/**
 * Time until a client that has closed its side counts as gone, milliseconds. It may still read: each octet written to it starts the time
 * again.
 */
const HALF_CLOSED_MS = 700;

/** The connection that the deadline belongs to. */
export interface DeadlineOwner {
  /** The deadline has passed. Starts another one, or closes the connection. */
  onDeadline(nowMs: number): void;
}

export class ClientDeadline implements Deadlined {
  deadlineMs: number;
  readonly #owner: DeadlineOwner;
  readonly #limits: EngineLimits;
  /** Octets written to the client when `mayStayHalfClosed` was called last. */
  #bytesOutSeen = 0;
  #lingerEndMs = 0;
  /** Octets discarded since the lingering deadline was set. */
  #discardedBytes = 0;

  /** Starts with the time for the first head. */
  constructor(owner: DeadlineOwner, limits: EngineLimits, nowMs: number) {
    this.#owner = owner;
    this.#limits = limits;
    this.deadlineMs = nowMs + limits.headerTimeoutMs;
  }

  onDeadline(nowMs: number): void {
    this.#owner.onDeadline(nowMs);
  }

  /** No deadline. */
  stop(): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  startAt(untilMs: number): void {
    this.deadlineMs = untilMs;
  }

  /** The first octets of a head have arrived. An earlier idle deadline stays. */
  startHead(nowMs: number): void {
    this.deadlineMs = Math.min(this.deadlineMs, nowMs + this.#limits.headerTimeoutMs);
  }

  /** The time until the next request. */
  startIdle(nowMs: number): void {
    this.deadlineMs = nowMs + this.#limits.idleTimeoutMs;
  }

  /** The client may send the request body from now on. `bodyTimeoutMs` is the limit of the request. */
  startBody(bodyTimeoutMs: number, nowMs: number): void {
    const { bodyGraceMs, minBodyBytesPerSecond } = this.#limits;
    this.deadlineMs = nowMs + (minBodyBytesPerSecond === 0 ? bodyTimeoutMs : Math.min(bodyTimeoutMs, bodyGraceMs));
  }

  /** Extends the deadline by the time that the slowest allowed client takes for `bytes`, to at most `bodyTimeoutMs` from now. */
  extendBody(bytes: number, bodyTimeoutMs: number, nowMs: number): void {
    const { minBodyBytesPerSecond } = this.#limits;
    const latestMs = nowMs + bodyTimeoutMs;
    if (minBodyBytesPerSecond === 0) this.deadlineMs = latestMs;
    else this.deadlineMs = Math.min(latestMs, this.deadlineMs + (bytes * 1_000) / minBodyBytesPerSecond);
  }

  /** The client does not read the answer. */
  startStall(nowMs: number): void {
    this.deadlineMs = nowMs + this.#limits.clientStallMs;
  }

  /** The client has closed its side while an answer is due. */
  startHalfClosed(nowMs: number): void {
    this.deadlineMs = nowMs + HALF_CLOSED_MS;
  }

  /** Extends the half-closed time if the client was sent something since the last call; false if it counts as gone. */
  mayStayHalfClosed(bytesOut: number, nowMs: number): boolean {
    if (bytesOut === this.#bytesOutSeen) return false;
    this.#bytesOutSeen = bytesOut;
    this.startHalfClosed(nowMs);
    return true;
  }

  /** The last answer is written, and the proxy closes its side. */
  startLinger(nowMs: number): void {
    this.deadlineMs = nowMs + LINGER_MS;
    this.#lingerEndMs = nowMs + this.#limits.clientStallMs;
  }

  onDiscarded(bytes: number): void {
    this.#discardedBytes += bytes;
  }

  /** Extends lingering while the client reads the answer, or sends faster than the slowest allowed body; false when it is over. */
  mayLinger(hasQueued: boolean, nowMs: number): boolean {
    const isSending = this.#discardedBytes > (this.#limits.minBodyBytesPerSecond * LINGER_MS) / 1_000;
    this.#discardedBytes = 0;
    if (nowMs >= this.#lingerEndMs || !(hasQueued || isSending)) return false;
    this.deadlineMs = nowMs + LINGER_MS;
    return true;
  }
}
