/**
 * An upgraded connection. Octets are forwarded both ways unchanged, with backpressure and half-close. It ends when both sides have ended, or
 * one has failed. Other reasons are a long silence, the end of a drain, a stopped, lost or gone node, and the end of the worker. Then both
 * sides get a close frame first (`tunnel-direction.ts`).
 */

import { randomBytes } from 'node:crypto';
import type { HeldSession } from '@rollcall/core';
import type { BodyBlocks } from './body-blocks.ts';
import { type CloseCode, closeFrame, maskedCloseFrame, type TunnelsEnd } from './close-frame.ts';
import { CLOSE_MS, closeAtMs } from './close-time.ts';
import { countToNode } from './counters.ts';
import type { Deadlined } from './deadline-sweep.ts';
import type { ClientTunnel, NodeTunnel, TunnelClient, TunnelUpstream } from './ends.ts';
import { FrameBorders } from './frame-borders.ts';
import type { UpstreamNode } from './router.ts';
import type { Timing } from './shared-services.ts';
import { TunnelDirection } from './tunnel-direction.ts';

/** Time for one side to read the rest after the other has closed, milliseconds. */
const FLUSH_MS = 5_000;
const MASK_BYTES = 4;
const CLOSE_FRAME_BYTES = 4;
/** The code of every close but the one at a reload. */
const GOING_AWAY: CloseCode = 1001;

/** Services of the engine that a tunnel uses. */
export interface TunnelServices extends Timing {
  readonly blocks: BodyBlocks;
  /** From 0 to 1: spreads closes. */
  readonly rng: () => number;
  /** Set while the worker is closing. */
  readonly tunnelsEnd: TunnelsEnd | undefined;
}

/** The request that became a tunnel. */
export interface TunnelUse {
  /** Silence of both sides that ends the tunnel, milliseconds; `Infinity` for none. */
  readonly idleMs: number;
  /** In use as long as the tunnel. */
  readonly session: HeldSession | undefined;
}

export class Tunnel implements Deadlined, ClientTunnel, NodeTunnel {
  deadlineMs: number;
  readonly node: UpstreamNode;
  readonly #client: TunnelClient;
  readonly #connection: TunnelUpstream;
  readonly #idleMs: number;
  readonly #services: TunnelServices;
  readonly #session: HeldSession | undefined;
  readonly #toClient: TunnelDirection;
  readonly #toNode: TunnelDirection;
  /** Instant at which the tunnel ends in any case; `Infinity` while its node serves. */
  #endMs: number = Number.POSITIVE_INFINITY;
  /** Instant at which its close begins, at the latest `#endMs`. */
  #closeMs: number = Number.POSITIVE_INFINITY;
  #code: CloseCode = GOING_AWAY;
  /** It ends whatever happens to the drain of its node. */
  #isEnding = false;
  #isClosing = false;
  #isOver = false;

  constructor(
    client: TunnelClient,
    connection: TunnelUpstream,
    { idleMs, session }: TunnelUse,
    services: TunnelServices,
  ) {
    this.#client = client;
    this.#connection = connection;
    this.#idleMs = idleMs;
    this.#services = services;
    this.#session = session;
    this.node = connection.node;
    this.#toClient = new TunnelDirection(new FrameBorders(false), {
      write: (octets, start, end) => this.#writeToClient(octets, start, end),
      writeClose: () => this.#writeToClient(closeFrame(this.#code), 0, CLOSE_FRAME_BYTES),
      resume: () => connection.socket.resume(),
    });
    this.#toNode = new TunnelDirection(new FrameBorders(true), {
      write: (octets, start, end) => this.#writeToNode(octets, start, end),
      writeClose: () =>
        this.#writeToNode(maskedCloseFrame(this.#code, randomBytes(MASK_BYTES)), 0, CLOSE_FRAME_BYTES + MASK_BYTES),
      resume: () => client.resume(),
    });
    this.node.counters.tunnels++;
    this.deadlineMs = services.now() + idleMs;
    services.sweep.add(this);
    if (this.node.drainsUntilMs > services.now()) this.followDrain();
    if (services.tunnelsEnd !== undefined) this.endBy(services.tunnelsEnd);
  }

  // ---- octets

  /** `octets` are only valid until this returns, here and in `toNode`. */
  toClient(octets: Buffer): void {
    if (this.#isClosing) {
      this.#pass(this.#toClient, octets);
      return;
    }
    this.#touch();
    this.#toClient.borders.follow(octets);
    this.#writeToClient(octets, 0, octets.length);
  }

  toNode(octets: Buffer): void {
    if (this.#isClosing) {
      this.#pass(this.#toNode, octets);
      return;
    }
    this.#touch();
    this.#toNode.borders.follow(octets);
    this.#writeToNode(octets, 0, octets.length);
  }

  #writeToClient(octets: Buffer, start: number, end: number): void {
    if (!this.#client.output.writeOctets('', octets, start, end, '')) this.#connection.socket.pause();
  }

  #writeToNode(octets: Buffer, start: number, end: number): void {
    countToNode(this.node.counters, end - start);
    this.#connection.writer.flush();
    if (!this.#services.blocks.write(this.#connection.socket, octets, start, end)) this.#client.pause();
  }

  onClientDrained(): void {
    this.#connection.socket.resume();
  }

  onNodeDrained(): void {
    this.#client.resume();
  }

  // ---- ends of the two sides

  onClientEnd(): void {
    this.#toNode.hasEnded = true;
    if (this.#isClosing && this.#toNode.isShut) {
      this.#settle();
      return;
    }
    this.#toNode.isShut = true;
    this.#connection.writer.flush();
    this.#connection.socket.end();
  }

  onNodeEnd(): void {
    this.#toClient.hasEnded = true;
    this.#closeEarly();
    if (this.#isClosing && this.#toClient.isShut) {
      this.#settle();
      return;
    }
    this.#toClient.isShut = true;
    this.#client.output.end();
  }

  /** The node's side is closed. After an orderly end the client still gets the octets on their way. */
  onNodeClosed(isOrderly: boolean): void {
    if (this.#isOver) return;
    this.#toNode.isShut = true;
    this.#closeEarly();
    this.#toClient.hasEnded = true;
    if (this.#isClosing && this.#toClient.isShut) {
      this.#settle();
      return;
    }
    if (!isOrderly) {
      this.end();
      return;
    }
    this.#toClient.isShut = true;
    this.#isEnding = true;
    this.#endMs = this.#services.now() + FLUSH_MS;
    this.#closeMs = this.#endMs;
    this.#touch();
    this.#client.resume();
    this.#client.output.destroySoon();
  }

  /** The client's side is closed; the same for the node. */
  onClientClosed(isOrderly: boolean): void {
    if (this.#isOver) return;
    this.#leave();
    if (this.#isClosing && this.#toNode.isShut) this.#leaveNode();
    else this.#connection.destroy(isOrderly);
  }

  /** The node has the close frame, and may still send its own. */
  #leaveNode(): void {
    const { socket, writer } = this.#connection;
    if (this.#toClient.isDone) {
      this.#connection.destroy(true);
      return;
    }
    writer.flush();
    socket.setTimeout(CLOSE_MS, () => this.#connection.destroy());
    socket.resume();
    socket.end();
  }

  // ---- the end of the tunnel

  /** Ends the tunnel at an instant, however busy it is. Its close begins earlier: see `close-time.ts`. */
  endBy({ endMs, code }: TunnelsEnd): void {
    this.#isEnding = true;
    if (endMs < this.#endMs) this.#endAt(endMs, code);
  }

  /** The time of its node's drain has been set or changed, or the drain was withdrawn. */
  followDrain(): void {
    const { drainsUntilMs } = this.node;
    if (!this.#isEnding && !this.#isClosing && drainsUntilMs !== this.#endMs) this.#endAt(drainsUntilMs, GOING_AWAY);
  }

  #endAt(endMs: number, code: CloseCode): void {
    this.#endMs = endMs;
    if (this.#isClosing) {
      this.deadlineMs = Math.min(this.deadlineMs, endMs);
      return;
    }
    const { now, rng, limits } = this.#services;
    this.#code = code;
    this.#closeMs =
      endMs === Number.POSITIVE_INFINITY
        ? endMs
        : closeAtMs({ nowMs: now(), endMs, windowMs: limits.closeWindowMs }, rng());
    this.#touch();
  }

  onDeadline(nowMs: number): void {
    if (this.#isClosing) this.end();
    else this.close(nowMs >= this.#closeMs ? this.#code : GOING_AWAY);
  }

  /** Begins its close now: each side gets a close frame between two frames. It is cut after `CLOSE_MS`, or at its end if that is earlier. */
  close(code: CloseCode): void {
    if (this.#isOver || this.#isClosing) return;
    const nowMs = this.#services.now();
    if (!this.#toClient.canClose && !this.#toNode.canClose) {
      this.#endWithoutClose(nowMs);
      return;
    }
    this.#isClosing = true;
    this.#code = code;
    this.deadlineMs = Math.min(nowMs + CLOSE_MS, this.#endMs);
    this.#toClient.close();
    this.#toNode.close();
    this.#settle();
  }

  /** The octets are no frames, or both sides have ended: no close frame can be sent. The tunnel stays until its end. */
  #endWithoutClose(nowMs: number): void {
    if (this.#endMs <= nowMs || this.#endMs === Number.POSITIVE_INFINITY) this.end();
    else {
      this.#closeMs = this.#endMs;
      this.#touch();
    }
  }

  /** The node ends its side before its turn, without a close frame: usually its program has ended after the drain. */
  #closeEarly(): void {
    const { isAtBorder } = this.#toClient.borders;
    if (this.#closeMs < Number.POSITIVE_INFINITY && isAtBorder) this.close(this.#code);
  }

  #pass(direction: TunnelDirection, octets: Buffer): void {
    if (this.#isOver) return;
    direction.pass(octets);
    this.#settle();
  }

  /** Ends the client's side once the client has answered, and the tunnel once the node has as well. */
  #settle(): void {
    const { isShut } = this.#toClient;
    if (this.#isOver || !isShut || !this.#toNode.isDone) return;
    if (this.#toNode.isShut && this.#toClient.isDone) {
      this.#leave();
      this.#connection.destroy(true);
      this.#client.output.destroySoon();
    } else this.#client.output.end();
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
    this.node.counters.tunnels--;
    this.#session?.release(this.#services.now());
    this.#services.sweep.remove(this);
  }

  #touch(): void {
    this.deadlineMs = Math.min(this.#services.now() + this.#idleMs, this.#closeMs);
  }
}
