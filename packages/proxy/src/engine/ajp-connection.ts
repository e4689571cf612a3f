/**
 * One connection to a node that speaks AJP/1.3, with the same tasks and failures as `NodeConnection`.
 *
 * ```
 *          request, first use                    SEND_HEADERS           answer complete
 *  idle ────────────────────────────▶ head ────────────────────▶ body ────────────────▶ end
 *   ▲ │ request, reused                ▲                           │ END_RESPONSE        │ END_RESPONSE
 *   │ ├────────────────────▶ ping ─────┘ CPONG                     │                     │
 *   │ └──── probe ─────────▶ probe                                 │                     │
 *   └─────────────────────────┴─ CPONG ────────────────────────────┴─────────────────────┘
 * ```
 *
 * - A reused connection is asked by CPING before it gets a request. So a request on a connection that the node has closed is unsent, and
 *   goes to a fresh one with any method.
 * - The node asks for each part of the body. A request with a known length sends the first part unasked. Parts wait in a queue, and the
 *   client is paused while the queue is full.
 * - `end`: the client has the whole answer, and the node has not ended it yet. The exchange is over.
 *
 * A packet that is not valid, or not allowed in the present state, ends this connection only.
 */
import net from 'node:net';
import type { RequestLimits } from '@rollcall/core';
import { AJP_CPING } from '@rollcall/protocol';
import type { AjpRequests } from '../ajp/ajp-requests.ts';
import { PacketReader } from '../ajp/packet-reader.ts';
import { bodyPacketBytes, chunkData, END_OF_BODY, writeBodyStart } from '../ajp/packets.ts';
import { responseHead } from '../ajp/response-head.ts';
import { ResponseHead } from '../http1/response-head.ts';
import type { Block, BodyBlocks } from './body-blocks.ts';
import type { ConnectGuard } from './connect-guard.ts';
import { countFromNode, countToNode } from './counters.ts';
import type { Deadlined } from './deadline-sweep.ts';
import type { Downstream, SentBody, Upstream } from './ends.ts';
import { isEventStream } from './event-stream.ts';
import { FAILURE, Failure, failureOfError, failureOn } from './failure.ts';
import { readBeforeDestroy } from './last-octets.ts';
import type { Router, UpstreamNode } from './router.ts';
import type { EngineLog, SocketAccess, Timing } from './shared-services.ts';
import type { UpstreamPool } from './upstream-pool.ts';

const NOTHING: Buffer = Buffer.alloc(0);
/** From this number of waiting octets on, the client is paused. */
const FULL_BYTES = 65_536;
/** An interim answer of the proxy: AJP has none, and clients wait for it. */
const CONTINUE: ResponseHead = Object.assign(new ResponseHead(), { status: 100, reason: 'Continue' });
/** CPONG has no head. */
const NO_HEAD = new ResponseHead();
/** `code` of the error of an invalid packet. */
const INVALID_PACKET = 'ERR_AJP_PACKET';

/** Services of the engine that a connection to an AJP node uses. */
export interface AjpConnectionServices extends Timing, Pick<SocketAccess, 'readBuffer' | 'reads'> {
  readonly ajp: AjpRequests;
  readonly blocks: BodyBlocks;
  /** Without it, connects are not restricted. */
  readonly guard: ConnectGuard<UpstreamNode> | undefined;
  readonly router: Pick<Router, 'onNodeClosed'>;
  readonly log: EngineLog | undefined;
}

type Phase = 'idle' | 'probe' | 'ping' | 'head' | 'body' | 'end';

/** Body octets that wait for the node. */
interface Waiting {
  readonly block: Block;
  start: number;
  readonly end: number;
}

export class AjpConnection implements Deadlined, Upstream {
  readonly node: UpstreamNode;
  readonly openedAtMs: number;
  readonly socket: net.Socket;
  readonly head: ResponseHead = new ResponseHead();
  deadlineMs: number = Number.POSITIVE_INFINITY;
  idleSinceMs = 0;
  keepAliveMs: number | undefined;
  served = 0;
  isConnected = false;
  isBound = false;
  hasAnswerBytes = false;
  readonly #services: AjpConnectionServices;
  readonly #pool: UpstreamPool<Upstream>;
  readonly #reader = new PacketReader();
  #phase: Phase = 'idle';
  #exchange: Downstream | undefined;
  #limits: RequestLimits;
  /** FORWARD_REQUEST, until the connection is ready for it. */
  #request: Buffer | undefined;
  /** Octets of the request body; -1 if unknown. */
  #requestLength = 0;
  #mayContinue = false;
  #queue: Waiting[] = [];
  #queued = 0;
  /** Largest number of body octets that the node waits for; 0 if it does not wait. */
  #wanted = 0;
  /** Octets of the answer that are still to come; -1 if unknown. */
  #bodyLeft = -1;
  /** The client's head, which is still to be written. */
  #headText = '';
  #interims = 0;
  #isLongIdle = false;
  #hasHeard = false;
  #isOver = false;

  constructor(node: UpstreamNode, pool: UpstreamPool<Upstream>, services: AjpConnectionServices) {
    this.node = node;
    this.#pool = pool;
    this.#services = services;
    this.#limits = services.limits;
    this.keepAliveMs = node.keepAliveMs;
    const { readBuffer } = services;
    const onread: net.OnReadOpts = {
      buffer: readBuffer.octets,
      callback: (bytes) => {
        this.#onData(readBuffer.view(bytes));
        return true;
      },
    };
    const target = services.guard?.target(node) ?? { host: node.host };
    const options = { ...target, port: node.port, noDelay: true, allowHalfOpen: true, onread };
    this.socket = net.connect(options, () => this.#onConnect());
    services.reads?.attach(this.socket, (bytes) => this.#onData(readBuffer.view(bytes)));
    this.openedAtMs = services.now();
    this.deadlineMs = this.openedAtMs + services.limits.connectTimeoutMs;
    services.sweep.add(this);
    pool.opened(this);
    this.socket.on('end', () => this.#onClosed());
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      const kind = failureOfError(error.code, this.isConnected, this.served === 0, this.hasAnswerBytes);
      this.#fail(kind, services.now(), error);
    });
    this.socket.on('close', () => this.#onClosed());
    readBeforeDestroy(this.socket, (octets) => {
      if (this.#phase === 'head' || this.#phase === 'body') this.#onData(octets);
    });
  }

  // ---- the request

  begin(exchange: Downstream, nowMs: number): void {
    this.#exchange = exchange;
    this.#limits = exchange.limits ?? this.#services.limits;
    this.hasAnswerBytes = false;
    this.#interims = 0;
    this.#isLongIdle = false;
    this.#headText = '';
    if (this.isConnected) this.deadlineMs = nowMs + exchange.headTimeoutMs(nowMs);
  }

  send(text: string, { kept }: SentBody): boolean {
    const exchange = this.#exchange!;
    const facts = exchange.facts();
    this.#request = this.#services.ajp.encode({ head: text, facts, route: this.node.route });
    if (this.#request === undefined) {
      this.#fail(FAILURE.packetTooSmall);
      return true;
    }
    this.#requestLength = facts.bodyLength;
    this.#mayContinue = facts.expectsContinue;
    for (const piece of kept) this.#enqueue(piece);
    if (!this.isConnected) return false;
    if (this.served === 0) this.#start(exchange);
    else {
      this.#phase = 'ping';
      this.deadlineMs = this.#services.now() + this.#services.limits.connectTimeoutMs;
      this.#write(AJP_CPING);
    }
    return this.#hasRoom;
  }

  sendBody(piece: Block): boolean {
    this.touch();
    this.#enqueue(piece);
    this.#pump();
    return this.#hasRoom;
  }

  /** Over AJP every probe is CPING. */
  probe(): void {
    this.#phase = 'probe';
    if (this.isConnected) this.#write(AJP_CPING);
  }

  /** Before the request has left, no more of its body is accepted: it can go to another node. */
  get #hasRoom(): boolean {
    return this.#isOver || (this.#request === undefined && this.#queued < FULL_BYTES);
  }

  touch(): void {
    const exchange = this.#exchange;
    if (!this.isConnected || exchange === undefined || this.#phase === 'ping') return;
    const nowMs = this.#services.now();
    this.deadlineMs = nowMs + (this.#phase === 'body' ? this.#limits.upstreamIdleMs : exchange.headTimeoutMs(nowMs));
  }

  #onConnect(): void {
    this.isConnected = true;
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    this.touch();
    exchange.onConnected(this);
    if (this.#isOver) return;
    if (this.#phase === 'probe') this.#write(AJP_CPING);
    else if (this.#request !== undefined) this.#start(exchange);
  }

  /** The connection is ready: sends the request. */
  #start(exchange: Downstream): void {
    this.#phase = 'head';
    this.#write(this.#request!);
    this.#request = undefined;
    this.#wanted = this.#requestLength > 0 ? this.#services.ajp.maxBodyBytes : 0;
    this.touch();
    this.#pump();
    if (this.#hasRoom) exchange.onNodeDrained();
  }

  #write(octets: Uint8Array): void {
    countToNode(this.node.counters, octets.length);
    if (!this.socket.destroyed) this.socket.write(octets);
  }

  #enqueue(block: Block): void {
    const { length } = block.octets;
    const { start, end } = this.#exchangeIsChunked ? chunkData(block.octets) : { start: 0, end: length };
    if (start >= end || this.#isOver) return;
    block.hold();
    this.#queue.push({ block, start, end });
    this.#queued += end - start;
  }

  get #exchangeIsChunked(): boolean {
    return this.#requestLength < 0;
  }

  /** Sends the part of the body that the node waits for, if there is one. */
  #pump(): void {
    const exchange = this.#exchange;
    if (this.#wanted === 0 || this.#request !== undefined || exchange === undefined) return;
    if (this.#queued > 0) {
      const wasFull = !this.#hasRoom;
      const bytes = Math.min(this.#wanted, this.#queued, this.#services.ajp.maxBodyBytes);
      this.#wanted = 0;
      this.#writeBody(bytes);
      if (wasFull && this.#hasRoom) exchange.onNodeDrained();
    } else if (exchange.isRequestComplete) {
      this.#wanted = 0;
      this.#write(END_OF_BODY);
    } else if (this.#mayContinue) {
      this.#mayContinue = false;
      exchange.onInterim(CONTINUE);
    }
  }

  #writeBody(bytes: number): void {
    const packet = this.#services.blocks.make(bodyPacketBytes(bytes));
    let at = writeBodyStart(packet.octets, bytes);
    while (at < packet.octets.length) {
      const first = this.#queue[0]!;
      const end = Math.min(first.end, first.start + packet.octets.length - at);
      at += first.block.octets.copy(packet.octets, at, first.start, end);
      first.start = end;
      if (end < first.end) break;
      this.#queue.shift();
      first.block.release();
    }
    this.#queued -= bytes;
    countToNode(this.node.counters, packet.octets.length);
    if (!this.socket.destroyed) packet.write(this.socket);
    packet.release();
  }

  #dropQueue(): void {
    for (const { block } of this.#queue) block.release();
    this.#queue = [];
    this.#queued = 0;
  }

  // ---- the answer

  #onData(octets: Buffer): void {
    countFromNode(this.node.counters, octets.length);
    if (this.#phase === 'idle') {
      // Nothing was asked.
      this.destroy();
      return;
    }
    if (this.served === 0 && !this.#hasHeard) this.#pool.answered(this);
    this.#hasHeard = true;
    const reader = this.#reader;
    let at = 0;
    while (at < octets.length && !this.#isOver) {
      const found = reader.read(octets, at);
      at = reader.at;
      if (found === 'more') break;
      if (found === 'broken') this.#break(reader.why);
      else if (found === 'pong') this.#onPong(at === octets.length);
      else if (found === 'body-request') this.#onBodyRequest(reader.wanted);
      else if (found === 'head') this.#onHead(reader.packet);
      else if (found === 'body') this.#onBody(octets, reader.bodyStart, reader.bodyEnd);
      else this.#onEndOfAnswer(reader.mayReuse && at === octets.length);
    }
    if (this.#isOver) return;
    if (reader.isInAnswer && this.#exchange !== undefined) this.hasAnswerBytes = true;
    if (this.#phase === 'body') this.#flush();
  }

  #onPong(isClean: boolean): void {
    const exchange = this.#exchange;
    if (this.#phase === 'ping' && exchange !== undefined) this.#start(exchange);
    else if (this.#phase === 'probe' && exchange !== undefined) {
      exchange.onHead(this, NO_HEAD, this.#services.now());
      this.#finish(exchange, isClean);
    } else this.#break('an unexpected CPONG');
  }

  #onBodyRequest(bytes: number): void {
    if ((this.#phase !== 'head' && this.#phase !== 'body') || this.#exchange === undefined) {
      this.#break('an unexpected request for a body');
      return;
    }
    this.#wanted = bytes;
    this.touch();
    this.#pump();
  }

  #onHead(packet: Buffer): void {
    const exchange = this.#exchange;
    this.hasAnswerBytes = true;
    if (this.#phase !== 'head' || exchange === undefined) {
      this.#break('an unexpected head');
      return;
    }
    const { limits, log } = this.#services;
    const octets = responseHead(packet);
    if (typeof octets === 'string') {
      this.#break(octets);
      return;
    }
    const why = this.head.read(octets, 0, octets.length - 4, exchange.method, exchange, limits);
    if (why !== undefined || this.head.status === 101) {
      log?.debug({ node: this.node.id, why }, 'invalid response');
      this.#fail(this.head.exceedsBounds ? FAILURE.tooLarge : FAILURE.broken);
      return;
    }
    if (this.head.status < 200) {
      if (++this.#interims > limits.maxInterim) this.#fail(FAILURE.tooLarge);
      else exchange.onInterim(this.head);
      this.touch();
      return;
    }
    const nowMs = this.#services.now();
    const { framing, bodyLength } = this.head;
    this.#phase = 'body';
    this.#bodyLeft = framing === 'none' ? 0 : framing === 'length' ? bodyLength : -1;
    this.deadlineMs = nowMs + this.#limits.upstreamIdleMs;
    this.#headText = exchange.onHead(this, this.head, nowMs);
  }

  #onBody(octets: Buffer, start: number, end: number): void {
    const exchange = this.#exchange;
    this.hasAnswerBytes = true;
    if (this.#phase !== 'body' || exchange === undefined) {
      // The exchange may be over with `end`: the connection is closed then, and nothing else happens.
      this.#break('an unexpected body');
      return;
    }
    this.deadlineMs = this.#services.now() + this.#limits.upstreamIdleMs;
    this.#isLongIdle = false;
    if (this.#bodyLeft < 0) {
      exchange.writeBody(this.#takeHeadText(), octets, start, end, false);
      return;
    }
    const last = Math.min(end, start + this.#bodyLeft);
    this.#bodyLeft -= last - start;
    if (last > start) exchange.writeBody(this.#takeHeadText(), octets, start, last, this.#bodyLeft === 0);
    // Octets beyond the announced length, or of an answer without a body: the client has all that it may get.
    if (last === end) return;
    if (this.#headText !== '') exchange.writeBody(this.#takeHeadText(), NOTHING, 0, 0, true);
    this.#finish(exchange, false);
  }

  #takeHeadText(): string {
    const text = this.#headText;
    this.#headText = '';
    return text;
  }

  /** Writes a head that has no body octets yet. After the last octet of the answer the client does not wait for END_RESPONSE. */
  #flush(): void {
    const exchange = this.#exchange!;
    const isComplete = this.#bodyLeft === 0;
    if (this.#headText !== '') exchange.writeBody(this.#takeHeadText(), NOTHING, 0, 0, isComplete);
    if (!isComplete || this.#isOver) return;
    this.#phase = 'end';
    this.#exchange = undefined;
    this.deadlineMs = this.#services.now() + this.#limits.upstreamIdleMs;
    this.#dropQueue();
    // The client may still have to read the answer, which is written already.
    if (this.socket.isPaused()) this.socket.resume();
    exchange.onBodyEnd(this.#services.now());
  }

  /** END_RESPONSE. `isClean`: the node keeps the connection, and no octets came behind it. */
  #onEndOfAnswer(isClean: boolean): void {
    const exchange = this.#exchange;
    if (this.head.status === 403 && !this.#reader.mayReuse && this.#phase !== 'head') this.#noteRefusal();
    if (this.#phase === 'end') {
      this.served++;
      if (isClean && this.#wanted === 0) this.#rest();
      else this.destroy();
    } else if (this.#phase !== 'body' || exchange === undefined) this.#break('an unexpected end');
    else if (this.#bodyLeft > 0) this.#fail(FAILURE.cut);
    else {
      const isFirst = this.#headText !== '';
      if (isFirst || this.#bodyLeft < 0) exchange.writeBody(this.#takeHeadText(), NOTHING, 0, 0, true);
      this.#finish(exchange, isClean);
    }
  }

  /** The exchange is over. A part of the body that the node still waits for would be read as the next request. */
  #finish(exchange: Downstream, isClean: boolean): void {
    this.#exchange = undefined;
    this.served++;
    this.#dropQueue();
    // Into the pool before the exchange ends: the next request of the same client may use it at once.
    if (isClean && this.#wanted === 0) this.#rest();
    else this.destroy();
    exchange.onBodyEnd(this.#services.now());
  }

  /** Back to the pool. */
  #rest(): void {
    const nowMs = this.#services.now();
    this.#phase = 'idle';
    if (this.#isOver || this.socket.readableEnded || this.socket.destroyed) {
      this.destroy();
      return;
    }
    if (this.socket.isPaused()) this.socket.resume();
    if (this.isBound) this.#pool.giveBound(this, nowMs);
    else if (this.head.bindsConnection) this.destroy();
    else this.#pool.give(this, nowMs);
  }

  /** Tomcat answers a wrong secret with 403, and closes. One line per node. */
  #noteRefusal(): void {
    const { ajp, log } = this.#services;
    if (ajp.refusedBy.has(this.node)) return;
    ajp.refusedBy.add(this.node);
    log?.warn(
      { node: this.node.id },
      `node ${this.node.id} answered 403 over AJP and closed the connection; if it requires a secret, see --ajp-secret-file`,
    );
  }

  // ---- failures

  onDeadline(nowMs: number): void {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      if (this.#phase === 'idle') {
        if (!this.#pool.isDue(this, nowMs)) return;
        this.#pool.outlasted(this, nowMs);
      }
      this.destroy();
    } else if (!this.isConnected) this.#fail(FAILURE.connectTimeout, nowMs);
    else if (this.#phase === 'ping') this.#fail(FAILURE.closed, nowMs);
    else if (exchange.isClientSlow || (exchange.isClientDue && this.#queued === 0)) this.touch();
    else if (this.#phase !== 'body') this.#fail(FAILURE.headTimeout, nowMs);
    else if (!this.#mayStayIdle()) this.#fail(FAILURE.idle, nowMs);
  }

  /** An event stream may be silent for a long time: it has a bound of its own. */
  #mayStayIdle(): boolean {
    const { upstreamIdleMs, eventStreamIdleMs } = this.#limits;
    if (this.#isLongIdle || eventStreamIdleMs <= upstreamIdleMs || !isEventStream(this.head)) return false;
    this.#isLongIdle = true;
    this.deadlineMs = this.#services.now() + eventStreamIdleMs - upstreamIdleMs;
    return true;
  }

  #break(why: string): void {
    this.#services.log?.debug({ node: this.node.id, why }, 'invalid AJP packet');
    const cause: NodeJS.ErrnoException = Object.assign(new Error(why), { code: INVALID_PACKET });
    this.#fail(FAILURE.broken, this.#services.now(), cause);
  }

  #onClosed(): void {
    const isUnused = this.served === 0 && !this.hasAnswerBytes && this.#phase !== 'probe' && !this.#hasHeard;
    this.#fail(isUnused ? FAILURE.closedUnused : FAILURE.closed);
  }

  #fail(kind: Failure, atMs = this.#services.now(), cause?: NodeJS.ErrnoException): void {
    if (this.#isOver) return;
    const exchange = this.#exchange;
    const isClosed = kind === FAILURE.closed || kind === FAILURE.closedUnused;
    if (!exchange && this.#phase === 'idle') {
      this.#services.router.onNodeClosed(this.node, atMs - this.idleSinceMs, atMs);
      this.#pool.closedByNode(this, atMs);
    } else if (isClosed && exchange && !this.hasAnswerBytes) this.#services.router.onNodeClosed(this.node, 0, atMs);
    const isUnsent = this.#phase === 'ping';
    const inBody = this.#phase === 'body';
    const closedAs = inBody ? FAILURE.cut : this.hasAnswerBytes ? FAILURE.broken : kind;
    this.destroy();
    if (exchange === undefined) return;
    const seen = isClosed ? closedAs : kind === FAILURE.broken && inBody ? FAILURE.cut : kind;
    const failure = isUnsent
      ? new Failure({ ...FAILURE.closed, retry: 'unsent' }, FAILURE.closed, cause)
      : failureOn(seen, this.isConnected, cause);
    exchange.onNodeFailed(this, failure, atMs);
  }

  destroy(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#exchange = undefined;
    this.#dropQueue();
    this.#services.sweep.remove(this);
    this.#pool.drop(this);
    this.socket.destroy();
  }
}
