/**
 * An upgraded connection: octets go both ways unread, with backpressure and half-close, until both sides have ended,
 * one has broken, both were silent for too long, or the node is stopped and the grace is over.
 */
import type { UpstreamNode } from '../routing.ts';
import type { ClientConnection } from './client-connection.ts';
import type { Deadlined } from './deadline-sweep.ts';
import type { EngineState } from './engine-state.ts';
import type { NodeConnection } from './node-connection.ts';

/** How long one side may take to read what is left when the other has closed, milliseconds. */
const FLUSH_MS = 5_000;

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
  }

  /** `octets` are only valid until this returns, here and in `toNode`. */
  toClient(octets: Buffer): void {
    this.#touch();
    if (!this.#client.writeOctets('', octets, 0, octets.length, '')) this.#connection.socket.pause();
  }

  toNode(octets: Buffer): void {
    this.#touch();
    this.node.tally.bytesToNode += octets.length;
    this.#connection.writer.flush();
    if (!this.#state.blocks.write(this.#connection.socket, octets, 0, octets.length)) this.#client.pause();
  }

  onClientDrained(): void {
    this.#connection.socket.resume();
  }

  onNodeDrained(): void {
    this.#client.resume();
  }

  onClientEnd(): void {
    this.#connection.writer.flush();
    this.#connection.socket.end();
  }

  onNodeEnd(): void {
    this.#client.end();
  }

  /** The node's side is closed. After an orderly end the client still gets what was on its way. */
  onNodeClosed(isOrderly: boolean): void {
    if (this.#isOver) return;
    if (!isOrderly) {
      this.end();
      return;
    }
    this.#endMs = this.#state.now() + FLUSH_MS;
    this.#touch();
    this.#client.resume();
    this.#client.destroySoon();
  }

  /** The client's side is closed; the same for the node. */
  onClientClosed(isOrderly: boolean): void {
    if (this.#isOver) return;
    this.#leave();
    this.#connection.destroy(isOrderly);
  }

  /** Ends the tunnel `graceMs` from now, however busy it is. */
  endWithin(graceMs: number): void {
    this.#endMs = Math.min(this.#endMs, this.#state.now() + graceMs);
    this.deadlineMs = Math.min(this.deadlineMs, this.#endMs);
  }

  onDeadline(): void {
    this.end();
  }

  /** Closes both sides. */
  end(): void {
    if (this.#isOver) return;
    this.#leave();
    this.#connection.destroy();
    this.#client.destroy();
  }

  #leave(): void {
    this.#isOver = true;
    this.node.tally.tunnels--;
    this.#state.sweep.remove(this);
  }

  #touch(): void {
    this.deadlineMs = Math.min(this.#state.now() + this.#state.limits.tunnelIdleMs, this.#endMs);
  }
}
