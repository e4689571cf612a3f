/**
 * Bounds connections of the control side that carry no request: connections without a request so far, and kept-alive ones. Each
 * uses a file descriptor of the process, and a client without a token could use all of them.
 *
 * Above the limit of an address, or of all addresses, the longest idle connections are closed. A connection idle for less than a
 * second is kept.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Clocks } from '../clocks.ts';
import { limitKey, parseIp } from './addresses.ts';

export interface IdleBounds {
  /** Upper bound per address: all of loopback, an IPv6 /64, or an IPv4 address. */
  readonly maxOfAddress: number;
  readonly maxTotal: number;
  /** A connection that is idle for less time is not closed, milliseconds: a burst of agents is no attack. */
  readonly graceMs: number;
}

export const IDLE_BOUNDS: IdleBounds = { maxOfAddress: 256, maxTotal: 2_048, graceMs: 1_000 };

interface Idle {
  readonly socket: Socket;
  readonly address: string;
  readonly sinceMs: number;
}

/** Idle connections by remote address and port, which the socket inside TLS shares with the outer one. Longest idle first. */
type IdleByEnd = Map<string, Idle>;

export class IdleConnections {
  readonly #clocks: Pick<Clocks, 'nowMs'>;
  readonly #bounds: IdleBounds;
  readonly #onClosed: (socket: Socket, why: string) => void;
  readonly #all: IdleByEnd = new Map();
  readonly #ofAddress = new Map<string, IdleByEnd>();
  /** Addresses with too many idle connections. */
  readonly #overLimit = new Set<IdleByEnd>();
  #closed = 0;

  /** Calls `onClosed` for each closed connection, with the bound as text. */
  constructor(
    clocks: Pick<Clocks, 'nowMs'>,
    onClosed: (socket: Socket, why: string) => void,
    bounds: IdleBounds = IDLE_BOUNDS,
  ) {
    this.#clocks = clocks;
    this.#onClosed = onClosed;
    this.#bounds = bounds;
  }

  /** Number of idle connections. */
  get size(): number {
    return this.#all.size;
  }

  /** Number of connections closed since the start. */
  get closed(): number {
    return this.#closed;
  }

  /** Watches all connections of `server` until they close or are upgraded. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      const end = endOf(socket);
      this.#enter(end, socket);
      socket.once('close', () => this.#leave(end));
    });
    // Number of outstanding answers on the connection: a client may send several requests at once.
    const answers = new WeakMap<Socket, number>();
    server.on('request', ({ socket }, response) => {
      const end = endOf(socket);
      answers.set(socket, (answers.get(socket) ?? 0) + 1);
      this.#leave(end);
      response.once('close', () => {
        const left = answers.get(socket)! - 1;
        answers.set(socket, left);
        if (left === 0 && !socket.destroyed) this.#enter(end, socket);
      });
    });
    server.on('upgrade', ({ socket }) => this.#leave(endOf(socket)));
  }

  #enter(end: string, socket: Socket): void {
    const { maxOfAddress, maxTotal } = this.#bounds;
    const address = limitKey(parseIp(socket.remoteAddress ?? ''));
    const idle = { socket, address, sinceMs: this.#clocks.nowMs() };
    const ofAddress = this.#ofAddress.get(address) ?? new Map<string, Idle>();
    this.#leave(end);
    this.#all.set(end, idle);
    this.#ofAddress.set(address, ofAddress.set(end, idle));
    if (ofAddress.size > maxOfAddress || this.#all.size > maxTotal) this.#trimSoon(ofAddress);
  }

  /** Runs after arrived data was read, because clients look idle after the event loop was blocked. */
  #trimSoon(ofAddress: IdleByEnd): void {
    if (this.#overLimit.size === 0) setImmediate(() => this.#trim());
    this.#overLimit.add(ofAddress);
  }

  #trim(): void {
    const { maxOfAddress, maxTotal } = this.#bounds;
    for (const ofAddress of this.#overLimit)
      this.#closeLongest(
        ofAddress,
        maxOfAddress,
        `more than ${maxOfAddress} connections of its address carry no request`,
      );
    this.#overLimit.clear();
    this.#closeLongest(this.#all, maxTotal, `more than ${maxTotal} connections carry no request`);
  }

  #leave(end: string): void {
    const idle = this.#all.get(end);
    if (idle === undefined) return;
    this.#all.delete(end);
    const ofAddress = this.#ofAddress.get(idle.address);
    ofAddress?.delete(end);
    if (ofAddress?.size === 0) this.#ofAddress.delete(idle.address);
  }

  #closeLongest(among: IdleByEnd, max: number, why: string): void {
    const beforeMs = this.#clocks.nowMs() - this.#bounds.graceMs;
    for (const [end, { socket, sinceMs }] of among) {
      if (among.size <= max || sinceMs > beforeMs) return;
      this.#leave(end);
      this.#closed += 1;
      this.#onClosed(socket, why);
      socket.destroy();
    }
  }
}

function endOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
