/**
 * An upgraded connection: octets go both ways unread, with backpressure and half-close, until both sides have ended,
 * one has broken, both were silent for too long, or the node is stopped and the grace is over.
 */
import type { UpstreamNode } from '../routing.ts';
import type { ClientConnection } from './client-connection.ts';
import type { Deadlined } from './deadline-sweep.ts';
import type { EngineState } from './engine-state.ts';
import type { NodeConnection } from './node-connection.ts';

export class Tunnel implements Deadlined {
  deadlineMs: number;
  readonly node: UpstreamNode;
  readonly #client: ClientConnection;
  readonly #connection: NodeConnection;
  readonly #state: EngineState;
  /** Instant the tunnel ends whatever flows; `Infinity` while its node is wanted. */
  #endMs: number = Number.POSITIVE_INFINITY;
  #isOver = false;

  constructor(client: ClientConnection, connection: NodeConnection, state: EngineState) {
    this.#client = client;
    this.#connection = connection;
    this.#state = state;
    this.node = connection.node;
    this.node.tally.tunnels++;
    this.deadlineMs = state.now() + state.limits.tunnelIdleMs;
    state.sweep.add(this);
    connection.becomeTunnel();
    connection.socket.on('drain', () => client.resume());
    connection.socket.once('close', () => this.end());
  }

  toClient(octets: Buffer): void {
    this.#touch();
    if (!this.#client.socket.write(octets)) this.#connection.socket.pause();
    this.#state.totals.bytesOut += octets.length;
  }

  toNode(octets: Buffer): void {
    this.#touch();
    this.node.tally.bytesToNode += octets.length;
    if (!this.#connection.socket.write(octets)) this.#client.pause();
  }

  onClientDrained(): void {
    this.#connection.socket.resume();
  }

  onClientEnd(): void {
    this.#connection.socket.end();
  }

  onNodeEnd(): void {
    this.#client.socket.end();
  }

  /** Ends the tunnel `graceMs` from now, however busy it is. */
  endWithin(graceMs: number): void {
    this.#endMs = Math.min(this.#endMs, this.#state.now() + graceMs);
    this.deadlineMs = Math.min(this.deadlineMs, this.#endMs);
  }

  onDeadline(): void {
    this.end();
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.node.tally.tunnels--;
    this.#state.sweep.remove(this);
    this.#connection.destroy();
    this.#client.destroy();
  }

  #touch(): void {
    this.deadlineMs = Math.min(this.#state.now() + this.#state.limits.tunnelIdleMs, this.#endMs);
  }
}
