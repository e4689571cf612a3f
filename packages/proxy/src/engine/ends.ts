/**
 * How the parts of one request know each other. Each part creates the next one and holds it by its class. Calls back use an interface of
 * this file, so that each file can be read without its user.
 *
 * ```
 *  ClientConnection ──▶ Exchange ──▶ NodeConnection      NodeProbe ──▶ NodeConnection
 *         ▲    Client      │  ▲  Downstream │                 ▲  Downstream  │
 *         └────────────────┘  └─────────────┘                 └──────────────┘
 *  after an upgrade:
 *  ClientConnection ── ClientTunnel ▶ Tunnel ◀ NodeTunnel ── NodeConnection
 *         ▲   TunnelClient            │    │           TunnelUpstream   ▲
 *         └───────────────────────────┘    └────────────────────────────┘
 * ```
 *
 * `Downstream` has two implementations, and `Upstream` has one for each protocol of nodes (`open-upstream.ts`); the others have one. Nothing is wrapped: the objects themselves are passed. The interfaces
 * that pools, parking, the sweep and the set of clients need are in their own files.
 */
import type net from 'node:net';
import type { RequestLimits } from '@rollcall/core';
import type { RequestFacts, TlsFacts } from '../ajp/forward-request.ts';
import type { ResponseEdits, ResponseHead } from '../http1/response-head.ts';
import type { Block } from './body-blocks.ts';
import type { ClientIdentity } from './client-identity.ts';
import type { ClientOutput } from './client-output.ts';
import type { CloseCode, TunnelsEnd } from './close-frame.ts';
import type { Failure } from './failure.ts';
import type { UpstreamNode } from './router.ts';
import type { TextWriter } from './text-writer.ts';
import type { PooledConnection } from './upstream-pool.ts';

// ---- one exchange

/** The connection of the client, for its exchange. */
export interface Client extends TunnelClient {
  readonly output: ClientOutput;
  /** Octets that were read and belong to no request yet. */
  readonly pendingBytes: number;
  /** The address of the client, and the fields that report it to the node. */
  readonly identity: ClientIdentity;
  /** `undefined` without TLS, and if the peer is a trusted proxy, whose client it does not describe. */
  readonly tlsFacts: TlsFacts | undefined;
  /** Writes the answer of the proxy itself to the present request. */
  answer(status: number, requestId: string, limit?: string): void;
  /** The client does not read the answer: its time starts. */
  onSlow(): void;
  /** The node has sent 100: the client may send the body. */
  onContinue(): void;
  /** The request waits for a node. Calls `askAgain` of the exchange at `untilMs`, an instant on the engine's clock. */
  onParked(untilMs: number): void;
  /** The request waits no longer. */
  onUnparked(nowMs: number): void;
  /** The exchange is over and its answer written. */
  onExchangeEnd(keepsAlive: boolean, nowMs: number): void;
  /** Ends the connection within an answer; `isReset`: only a reset shows that the answer is incomplete. */
  cut(isReset: boolean): void;
  /** From now on octets go through `tunnel`. */
  becomeTunnel(tunnel: ClientTunnel): void;
}

/** The connection to a node, for the sender of a request: an exchange or a probe. */
export interface Upstream extends PooledConnection {
  readonly node: UpstreamNode;
  /** Paused while the client does not read. */
  readonly socket: net.Socket;
  /** The last response head. */
  readonly head: ResponseHead;
  readonly isConnected: boolean;
  /** Exchanges served before the present one. */
  readonly served: number;
  /** An octet has arrived since the present exchange began. */
  readonly hasAnswerBytes: boolean;
  /** It belongs to one client connection, and only that may use it. Set by the exchange. */
  isBound: boolean;
  /** As for a tunnel and for a pool. */
  destroy(isFlushed?: boolean): void;
  /** Begins an exchange. The caller sends the request, or probes. */
  begin(exchange: Downstream, nowMs: number): void;
  /** Sends the head `text` and the part of the body that is here. False if it accepts no more for now: `onNodeDrained` follows. */
  send(text: string, body: SentBody): boolean;
  /** Sends more of the body, in the framing of `RequestBody`. False as for `send`. */
  sendBody(piece: Block): boolean;
  /** Sends the probe `text`, or the probe of its protocol. */
  probe(text: string): void;
  /** Starts its time again: it was sent something, or has a reason for silence. */
  touch(): void;
}

/** A connection whose protocol can switch to another one. */
export interface SwitchingUpstream extends Upstream, TunnelUpstream {
  destroy(isFlushed?: boolean): void;
  /** From now on octets go through `tunnel`. */
  becomeTunnel(tunnel: NodeTunnel): void;
}

/** The part of a request body that was read before its attempt. */
export interface SentBody {
  readonly kept: readonly Block[];
  readonly keptBytes: number;
}

/** The sender of a request, for the connection to the node: the exchange of a client, or a probe. */
export interface Downstream extends ResponseEdits {
  readonly method: string;
  /** The client does not read what the node sends; silence does not count against the node. */
  readonly isClientSlow: boolean;
  /** The rest of the request body is expected from the client. */
  readonly isClientDue: boolean;
  /** The request is complete. */
  readonly isRequestComplete: boolean;
  /** Time limits of the request; `undefined`: those of the proxy. They do not change until its end. */
  readonly limits: RequestLimits | undefined;
  /** Facts that the head does not have. Called only for nodes whose protocol needs it. */
  facts(): RequestFacts;
  /** Time for the response head from `nowMs` on, milliseconds. `Infinity`: no limit. */
  headTimeoutMs(nowMs: number): number;
  onConnected(connection: Upstream): void;
  onNodeDrained(): void;
  /** An interim response. */
  onInterim(head: ResponseHead): void;
  /** A final head. Returns the head for the client. */
  onHead(connection: Upstream, head: ResponseHead, nowMs: number): string;
  /** The node switches protocols; `early` came behind its head. */
  onSwitch(connection: SwitchingUpstream, early: Buffer): void;
  /** `octets[start, end)` of the body with `headText` before it; only valid until this returns. */
  writeBody(headText: string, octets: Buffer, start: number, end: number, isLast: boolean): void;
  /** The response is complete. */
  onBodyEnd(nowMs: number): void;
  /** The connection has failed; it is closed already. */
  onNodeFailed(connection: Upstream, failure: Failure, atMs: number): void;
}

// ---- an upgraded connection

/** The connection to the client, for a tunnel. */
export interface TunnelClient {
  readonly output: Pick<ClientOutput, 'writeOctets' | 'end' | 'destroySoon'>;
  /** Stops reading until `resume`. */
  pause(): void;
  resume(): void;
  /** Closes both sides now. */
  destroy(): void;
}

/** The connection to the node, for a tunnel. */
export interface TunnelUpstream {
  readonly node: UpstreamNode;
  readonly socket: net.Socket;
  /** To be flushed before anything is written to `socket` itself. */
  readonly writer: TextWriter;
  /** Closes both sides without a report. `isFlushed`: after all written octets have left. */
  destroy(isFlushed?: boolean): void;
}

/** A tunnel, for its client connection and for the engine. */
export interface ClientTunnel {
  readonly node: UpstreamNode;
  /** `octets` are only valid until this returns. */
  toNode(octets: Buffer): void;
  /** The client reads again. */
  onClientDrained(): void;
  /** The client has closed its side and may still read. */
  onClientEnd(): void;
  /** The connection to the client is closed; `isOrderly`: not by an error. */
  onClientClosed(isOrderly: boolean): void;
  /** Ends the tunnel at an instant, however busy it is. Both sides get a close frame before. */
  endBy(end: TunnelsEnd): void;
  /** The time of its node's drain has been set or changed, or the drain was withdrawn. */
  followDrain(): void;
  /** Begins its close now. */
  close(code: CloseCode): void;
}

/** A tunnel, for its node connection. */
export interface NodeTunnel {
  /** `octets` are only valid until this returns. */
  toClient(octets: Buffer): void;
  /** The node reads again. */
  onNodeDrained(): void;
  /** The node has closed its side and may still read. */
  onNodeEnd(): void;
  /** The connection to the node is closed; `isOrderly`: not by an error. */
  onNodeClosed(isOrderly: boolean): void;
}
