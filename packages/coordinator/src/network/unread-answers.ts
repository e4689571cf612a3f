/**
 * Bounds answers that a client does not read, so that such clients cannot fill the memory. It watches every connection of the
 * control server that has not been upgraded. A connection that takes no bytes of its answer for a while is closed. All unread
 * answers together have a bound too.
 */
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { TLSSocket, Server as TlsServer } from 'node:tls';
import type { Clocks } from '../clocks.ts';

export interface UnreadBounds {
  /** A connection whose answer makes no progress for this long is closed, milliseconds. */
  readonly stallMs: number;
  /** A stream with more unread bytes than this is closed. */
  readonly maxStreamBytes: number;
  /** Upper bound of all unread answers, bytes. Beyond it the connection without progress for the longest time is closed. */
  readonly maxTotalBytes: number;
}

export const UNREAD_BOUNDS: UnreadBounds = {
  stallMs: 10_000,
  maxStreamBytes: 1024 * 1024,
  maxTotalBytes: 64 * 1024 * 1024,
};

/** Interval of the checks of all connections, milliseconds. */
const PASS_MS = 1_000;
/** Larger answers are written in slices of this size, so that progress is seen and sockets buffer little, bytes. */
export const SLICE_BYTES = 65_536;

interface Unread {
  /** Bytes of answers that are not yet handed to the system, including those of pipelined requests. */
  heldBytes: number;
  /** A connection of a client with a token or login is closed last. */
  hasToken: boolean;
  /** Bytes that the system had taken at the last check. */
  sentBytes: number;
  /** Start of the time in which no waiting byte was taken. */
  stalledSinceMs: number | undefined;
}

export class UnreadAnswers {
  readonly #clocks: Clocks;
  readonly #bounds: UnreadBounds;
  readonly #onClosed: (socket: Socket, why: string) => void;
  readonly #connections = new Map<Socket, Unread>();
  readonly #timer: NodeJS.Timeout;
  #totalBytes = 0;
  #ended = 0;

  /** Calls `onClosed` for each connection that is closed for its unread answer, with the bound as text. */
  constructor(clocks: Clocks, onClosed: (socket: Socket, why: string) => void, bounds: UnreadBounds = UNREAD_BOUNDS) {
    this.#clocks = clocks;
    this.#onClosed = onClosed;
    this.#bounds = bounds;
    this.#timer = setInterval(() => this.pass(), PASS_MS);
    this.#timer.unref();
  }

  /** Bytes of all unread answers, without streams. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Number of connections closed since the start. */
  get ended(): number {
    return this.#ended;
  }

  /** Watches all connections of `server` until they close or are upgraded. */
  watch(server: Server): void {
    // Over TLS answers are written to the inner socket.
    server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#connections.set(socket, { heldBytes: 0, hasToken: false, sentBytes: 0, stalledSinceMs: undefined });
      // A response that waits behind another one on its connection emits no close.
      socket.once('close', () => this.#forget(socket));
    });
    // Connections of agents and workers have their own bounds.
    server.on('upgrade', ({ socket }) => this.#forget(socket));
  }

  /**
   * Counts an answer of `bytes` until its response is closed. If the bound is exceeded, other connections are closed first:
   * connections without a token, and of these the one without progress for the longest time.
   */
  hold(socket: Socket, response: ServerResponse, bytes: number, hasToken: boolean): void {
    const unread = this.#connections.get(socket);
    if (unread === undefined || bytes === 0) return;
    unread.hasToken = hasToken;
    unread.stalledSinceMs ??= this.#clocks.nowMs();
    this.#count(unread, bytes);
    response.once('close', () => this.#count(unread, -Math.min(bytes, unread.heldBytes)));
    while (this.#totalBytes > this.#bounds.maxTotalBytes && this.#closeLongest());
  }

  /** Writes to a stream, or closes it if too many of its bytes are unread. */
  write(response: ServerResponse, text: string): void {
    const { maxStreamBytes } = this.#bounds;
    if (response.writableLength <= maxStreamBytes || response.socket === null) response.write(text);
    else this.#close(response.socket, `more than ${maxStreamBytes} bytes of a stream wait to be read`);
  }

  /** Checks all connections now. Public so that tests need not wait for the timer. */
  pass(): void {
    const nowMs = this.#clocks.nowMs();
    const { stallMs } = this.#bounds;
    for (const [socket, unread] of this.#connections) {
      const sentBytes = socket.bytesWritten - socket.writableLength;
      const isWaiting = socket.writableLength > 0 || unread.heldBytes > 0;
      if (!isWaiting) unread.stalledSinceMs = undefined;
      else if (unread.stalledSinceMs === undefined || sentBytes !== unread.sentBytes) unread.stalledSinceMs = nowMs;
      else if (nowMs - unread.stalledSinceMs >= stallMs)
        this.#close(socket, `nothing of an answer was read for ${stallMs} ms`);
      unread.sentBytes = sentBytes;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** False if only one connection is left: the client has requested its large answer. */
  #closeLongest(): boolean {
    let chosen: [Socket, Unread] | undefined;
    let holding = 0;
    for (const [socket, unread] of this.#connections) {
      if (unread.heldBytes === 0) continue;
      holding += 1;
      if (chosen === undefined || isBefore(unread, chosen[1])) chosen = [socket, unread];
    }
    if (chosen === undefined || holding < 2) return false;
    this.#close(chosen[0], `more than ${this.#bounds.maxTotalBytes} bytes of all answers wait to be read`);
    return true;
  }

  #count(unread: Unread, bytes: number): void {
    unread.heldBytes += bytes;
    this.#totalBytes += bytes;
  }

  #forget(socket: Socket): void {
    const unread = this.#connections.get(socket);
    if (unread === undefined) return;
    this.#count(unread, -unread.heldBytes);
    this.#connections.delete(socket);
  }

  #close(socket: Socket, why: string): void {
    this.#ended += 1;
    // The address is known while the connection is open.
    this.#onClosed(socket, why);
    this.#forget(socket);
    // A reset also drops data in system buffers; it is not available through TLS.
    if (socket instanceof TLSSocket) socket.destroy();
    else socket.resetAndDestroy();
  }
}

/** True if `one` is closed before `other`. */
function isBefore(one: Unread, other: Unread): boolean {
  if (one.hasToken !== other.hasToken) return other.hasToken;
  return (one.stalledSinceMs ?? Number.POSITIVE_INFINITY) < (other.stalledSinceMs ?? Number.POSITIVE_INFINITY);
}

/** `octets` as a stream of slices. A slice is read after the client has taken the previous ones. */
export function slicesOf(octets: Buffer): Readable {
  let sent = 0;
  return new Readable({
    highWaterMark: SLICE_BYTES,
    read() {
      this.push(sent < octets.length ? octets.subarray(sent, sent + SLICE_BYTES) : null);
      sent += SLICE_BYTES;
    },
  });
}
