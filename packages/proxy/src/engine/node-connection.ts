/**
 * One connection to a node. Serves one exchange at a time. Between exchanges it is in the node's pool. There an octet or an end from the
 * node closes it, because an unexpected message is not a response (RFC 9112 §9.2).
 */
import net from 'node:net';
import type { RequestLimits } from '@rollcall/core';
import { ChunkedDecoder } from '../http1/chunked.ts';
import { PartialHead } from '../http1/partial-head.ts';
import { mayBeginResponse, ResponseHead } from '../http1/response-head.ts';
import { type NodeTls, tlsProblemOf } from '../tls/node-tls.ts';
import type { Block } from './body-blocks.ts';
import type { ConnectGuard } from './connect-guard.ts';
import { countFromNode, countToNode } from './counters.ts';
import type { Deadlined } from './deadline-sweep.ts';
import type { Downstream, NodeTunnel, SentBody, SwitchingUpstream, Upstream } from './ends.ts';
import { isEventStream } from './event-stream.ts';
import { FAILURE, type Failure, failureOfError, failureOn } from './failure.ts';
import { readBeforeDestroy } from './last-octets.ts';
import type { Router, UpstreamNode } from './router.ts';
import type { EngineLog, SocketAccess, Timing } from './shared-services.ts';
import { TextWriter } from './text-writer.ts';
import type { UpstreamPool } from './upstream-pool.ts';

/** Up to this size, head and body are written as one text; above, copying costs more than a second buffer. */
const ONE_WRITE_BYTES = 16_384;
const NOTHING: Buffer = Buffer.alloc(0);
/** Time for a node to read the rest of a tunnel whose client has closed, milliseconds. */
const FLUSH_MS = 5_000;

/** Services of the engine that a connection to a node uses. */
export interface NodeConnectionServices extends Timing, SocketAccess {
  readonly nodeTls: NodeTls;
  /** Without it, connects are not restricted. */
  readonly guard: ConnectGuard<UpstreamNode> | undefined;
  readonly router: Pick<Router, 'onNodeClosed'>;
  readonly log: EngineLog | undefined;
}

export class NodeConnection implements Deadlined, SwitchingUpstream {
  readonly node: UpstreamNode;
  /** When the connect began. */
  readonly openedAtMs: number;
  readonly socket: net.Socket;
  readonly writer: TextWriter;
  readonly head: ResponseHead = new ResponseHead();
  deadlineMs: number = Number.POSITIVE_INFINITY;
  idleSinceMs = 0;
  /** How long the node keeps it open when idle, as registered or as announced by its last response; `undefined` if unknown. */
  keepAliveMs: number | undefined;
  /** Exchanges served before the present one. */
  served = 0;
  isConnected = false;
  /** It is, or is about to be, authenticated as the client of one client connection. Only that connection may use it. */
  isBound = false;
  /** An octet has arrived since the present exchange began. */
  hasAnswerBytes = false;
  /** Octets of the present request left before the write in progress. */
  #hasSentBefore = false;
  readonly #services: NodeConnectionServices;
  readonly #pool: UpstreamPool<Upstream>;
  readonly #decoder: ChunkedDecoder;
  readonly #partial = new PartialHead();
  #exchange: Downstream | undefined;
  /** Time limits of the present request. */
  #limits: RequestLimits;
  #tunnel: NodeTunnel | undefined;
  #inBody = false;
  #bodyLeft = 0;
  #interims = 0;
  /** An event stream has been silent for the usual time, and has its own bound now. */
  #isLongIdle = false;
  /** After a message of the node it is not certain that the connection stays open. */
  #isDoubtful = false;
  /** Everything that the node of a tunnel had sent before it closed has been read. */
  #hasReadLast = false;
  #isOver = false;

  constructor(node: UpstreamNode, pool: UpstreamPool<Upstream>, services: NodeConnectionServices) {
    this.node = node;
    this.#pool = pool;
    this.#services = services;
    this.#limits = services.limits;
    this.#decoder = new ChunkedDecoder(services.limits);
    this.keepAliveMs = node.keepAliveMs;
    const { port } = node;
    const target = services.guard?.target(node) ?? { host: node.host };
    const onConnect = (): void => {
      this.isConnected = true;
      if (node.isTls) node.tlsProblem = undefined;
      if (this.#exchange === undefined) return;
      this.touch();
      this.#exchange.onConnected(this);
    };
    this.socket = node.isTls
      ? services.nodeTls.connect(target, port, onConnect)
      : net.connect({ ...target, port, noDelay: true, allowHalfOpen: true, onread: this.#onread() }, onConnect);
    if (node.isTls) this.socket.setNoDelay(true);
    else services.reads?.attach(this.socket, (bytes) => this.#onData(services.readBuffer.view(bytes)));
    this.openedAtMs = services.now();
    this.deadlineMs = this.openedAtMs + services.limits.connectTimeoutMs;
    services.sweep.add(this);
    pool.opened(this);
    if (node.isTls) this.socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.socket.on('end', () => this.#onEnd());
    this.writer = new TextWriter(
      this.socket,
      node.isTls ? undefined : services.direct,
      () => this.#onDrained(),
      services.outbox,
    );
    this.socket.on('drain', () => this.#onDrained());
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      if (node.isTls && !this.isConnected) {
        node.tlsProblem = tlsProblemOf(error);
        services.log?.warn(
          { node: node.id, reason: error.message },
          'cannot open a TLS connection to a node; see --upstream-ca and --upstream-name',
        );
      }
      const kind = failureOfError(error.code, this.isConnected, this.served === 0, this.hasAnswerBytes);
      this.#fail(kind, services.now(), error);
    });
    this.socket.on('close', () => this.#onClose());
    readBeforeDestroy(this.socket, (octets) => this.#onLastOctets(octets));
  }

  /**
   * Plain sockets read into one buffer that all connections of an engine share. The next read overwrites it, so octets are copied before
   * they are kept or queued.
   */
  #onread(): net.OnReadOpts {
    const { readBuffer } = this.#services;
    return {
      buffer: readBuffer.octets,
      callback: (bytes) => {
        this.#onData(readBuffer.view(bytes));
        return true;
      },
    };
  }

  /** Begins an exchange. */
  begin(exchange: Downstream, nowMs: number): void {
    this.#exchange = exchange;
    this.#limits = exchange.limits ?? this.#services.limits;
    this.hasAnswerBytes = false;
    this.#hasSentBefore = false;
    this.#interims = 0;
    this.#inBody = false;
    this.#isDoubtful = false;
    this.#isLongIdle = false;
    if (this.isConnected) this.deadlineMs = nowMs + exchange.headTimeoutMs(nowMs);
  }

  /** Writes head and body in one write if they are small. */
  send(text: string, { kept, keptBytes }: SentBody): boolean {
    const { socket, writer } = this;
    countToNode(this.node.counters, text.length + keptBytes);
    if (keptBytes === 0) return writer.write(text);
    if (keptBytes <= ONE_WRITE_BYTES) {
      let whole = text;
      for (const piece of kept) whole += piece.octets.toString('latin1');
      return writer.write(whole);
    }
    writer.flush();
    socket.cork();
    let hasRoom = socket.write(text, 'latin1');
    for (const piece of kept) hasRoom = piece.write(socket);
    socket.uncork();
    return hasRoom;
  }

  sendBody(piece: Block): boolean {
    this.touch();
    countToNode(this.node.counters, piece.octets.length);
    this.writer.flush();
    if (this.socket.destroyed) return true;
    this.#hasSentBefore = this.isConnected;
    return piece.write(this.socket);
  }

  probe(text: string): void {
    this.writer.write(text);
  }

  /** Starts its time again: the node has a reason for its silence, or has just been sent something. */
  touch(): void {
    if (!this.isConnected || this.#exchange === undefined) return;
    const nowMs = this.#services.now();
    this.deadlineMs = nowMs + (this.#inBody ? this.#limits.upstreamIdleMs : this.#exchange.headTimeoutMs(nowMs));
  }

  /** From now on octets are forwarded both ways without parsing. */
  becomeTunnel(tunnel: NodeTunnel): void {
    this.#tunnel = tunnel;
    this.#exchange = undefined;
    this.#partial.clear();
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  /** Ends the connection without a report to its exchange. `isFlushed`: after all written octets have left. */
  destroy(isFlushed = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#exchange = undefined;
    this.#services.sweep.remove(this);
    this.#pool.drop(this);
    if (isFlushed) {
      this.writer.flush();
      this.socket.setTimeout(FLUSH_MS, () => this.socket.destroy());
      this.socket.destroySoon();
    } else this.socket.destroy();
  }

  onDeadline(nowMs: number): void {
    const exchange = this.#exchange;
    if (!exchange) {
      if (!this.#pool.isDue(this, nowMs)) return;
      this.#pool.outlasted(this, nowMs);
      this.destroy();
    } else if (!this.isConnected) this.#fail(FAILURE.connectTimeout, nowMs);
    else if (exchange.isClientSlow || (exchange.isClientDue && !this.writer.hasQueued)) this.touch();
    else if (!this.#inBody) this.#fail(FAILURE.headTimeout, nowMs);
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

  /** `atMs` is the sweep's instant for a deadline: all failures of one sweep have the same instant. */
  #fail(kind: Failure, atMs = this.#services.now(), cause?: NodeJS.ErrnoException): void {
    if (this.#isOver) return;
    const exchange = this.#exchange;
    const isClosed = kind === FAILURE.closed || kind === FAILURE.closedUnused;
    if (!exchange && !this.#tunnel) {
      this.#services.router.onNodeClosed(this.node, atMs - this.idleSinceMs, atMs);
      this.#pool.closedByNode(this, atMs);
    } else if (isClosed && exchange && !this.hasAnswerBytes) this.#services.router.onNodeClosed(this.node, 0, atMs);
    const closedAs = this.#inBody ? FAILURE.cut : this.hasAnswerBytes ? FAILURE.broken : kind;
    this.destroy();
    exchange?.onNodeFailed(this, failureOn(isClosed ? closedAs : kind, this.isConnected, cause), atMs);
  }

  /**
   * Octets received before a write failed. On a reused connection the first write of a request may find octets that the node sent when it
   * closed the idle connection. They answer no request (RFC 9112 §9.2).
   */
  #onLastOctets(octets: Buffer): void {
    if (this.#tunnel) this.#hasReadLast = true;
    if (this.#tunnel || this.served === 0 || this.#hasSentBefore) this.#onData(octets);
  }

  #onClose(): void {
    if (this.#tunnel) this.#tunnel.onNodeClosed(this.socket.readableEnded || this.#hasReadLast);
    this.#fail(this.served === 0 && !this.hasAnswerBytes ? FAILURE.closedUnused : FAILURE.closed);
  }

  #onDrained(): void {
    if (this.#tunnel) this.#tunnel.onNodeDrained();
    else this.#exchange?.onNodeDrained();
  }

  #onEnd(): void {
    const exchange = this.#exchange;
    if (this.#tunnel) this.#tunnel.onNodeEnd();
    else if (exchange && this.#inBody && this.head.framing === 'close') {
      exchange.writeBody('', NOTHING, 0, 0, true);
      this.destroy();
      exchange.onBodyEnd(this.#services.now());
    } else this.#fail(this.served === 0 && !this.hasAnswerBytes ? FAILURE.closedUnused : FAILURE.closed);
  }

  #onData(chunk: Buffer): void {
    countFromNode(this.node.counters, chunk.length);
    if (this.#tunnel) {
      this.#tunnel.toClient(chunk);
      return;
    }
    const exchange = this.#exchange;
    if (!exchange) {
      this.destroy();
      return;
    }
    if (this.served === 0 && !this.hasAnswerBytes) this.#pool.answered(this);
    this.hasAnswerBytes = true;
    if (this.#inBody) {
      const nowMs = this.#services.now();
      this.deadlineMs = nowMs + this.#limits.upstreamIdleMs;
      this.#isLongIdle = false;
      this.#onBody(exchange, chunk, 0, '', nowMs);
    } else this.#onHeadBytes(exchange, this.#partial.join(chunk));
  }

  /** Collects heads until the final one; interim responses are forwarded at once. */
  #onHeadBytes(exchange: Downstream, octets: Buffer): void {
    const { limits, log } = this.#services;
    for (;;) {
      const end = this.#partial.endIn(octets, 0);
      if (end < 0) {
        if (octets.length > limits.maxFieldBytes + limits.maxLineBytes) this.#fail(FAILURE.tooLarge);
        else {
          this.#partial.hold(octets);
          if (this.#partial.hasBareLineEnd() || !mayBeginResponse(octets)) this.#fail(FAILURE.broken);
        }
        return;
      }
      this.#partial.clear();
      const why = this.head.read(octets, 0, end, exchange.method, exchange, limits);
      if (why !== undefined) {
        log?.debug({ node: this.node.id, why }, 'invalid response');
        this.#fail(this.head.exceedsBounds ? FAILURE.tooLarge : FAILURE.broken);
        return;
      }
      if (this.head.status >= 200) {
        this.#onFinalHead(exchange, octets, end + 4);
        return;
      }
      octets = octets.subarray(end + 4);
      if (this.head.status === 101) {
        exchange.onSwitch(this, octets);
        return;
      }
      if (++this.#interims > limits.maxInterim) {
        this.#fail(FAILURE.tooLarge);
        return;
      }
      if (!this.head.keepsAlive) this.#isDoubtful = true;
      exchange.onInterim(this.head);
      this.touch();
      if (octets.length === 0) return;
    }
  }

  #onFinalHead(exchange: Downstream, octets: Buffer, bodyStart: number): void {
    const nowMs = this.#services.now();
    const { framing, bodyLength, keepAliveMs } = this.head;
    if (keepAliveMs !== undefined) this.keepAliveMs = keepAliveMs;
    this.#bodyLeft = framing === 'length' ? bodyLength : 0;
    if (framing === 'chunked') this.#decoder.reset();
    this.#inBody = true;
    this.deadlineMs = nowMs + this.#limits.upstreamIdleMs;
    this.#onBody(exchange, octets, bodyStart, exchange.onHead(this, this.head, nowMs), nowMs);
  }

  /** Forwards `octets[start…]` of the body. `headText` is the client's head, which is still to be written before it. */
  #onBody(exchange: Downstream, octets: Buffer, start: number, headText: string, nowMs: number): void {
    switch (this.head.framing) {
      case 'none':
        exchange.writeBody(headText, octets, start, start, true);
        this.#finish(exchange, start === octets.length, nowMs);
        return;
      case 'length': {
        const end = Math.min(octets.length, start + this.#bodyLeft);
        this.#bodyLeft -= end - start;
        const isLast = this.#bodyLeft === 0;
        exchange.writeBody(headText, octets, start, end, isLast);
        if (isLast) this.#finish(exchange, end === octets.length, nowMs);
        return;
      }
      case 'close':
        exchange.writeBody(headText, octets, start, octets.length, false);
        return;
      default: {
        const decoder = this.#decoder;
        const end = decoder.decode(octets, start, octets.length);
        exchange.writeBody(headText, octets, decoder.payloadStart, decoder.payloadEnd, decoder.isDone);
        if (decoder.isBroken) this.#fail(decoder.exceedsBounds ? FAILURE.tooLarge : FAILURE.cut);
        else if (decoder.isDone) this.#finish(exchange, end === octets.length, nowMs);
      }
    }
  }

  /** The response is complete. `isClean`: no octets came after it. */
  #finish(exchange: Downstream, isClean: boolean, nowMs: number): void {
    this.#exchange = undefined;
    this.served++;
    const isReusable =
      isClean &&
      this.head.keepsAlive &&
      !this.#isDoubtful &&
      exchange.isRequestComplete &&
      !this.socket.readableEnded &&
      !this.#isOver;
    // Into the pool before the exchange ends: the next request of the same client may use it at once.
    if (isReusable) {
      if (this.socket.isPaused()) this.socket.resume();
      if (this.isBound) this.#pool.giveBound(this, nowMs);
      else if (this.head.bindsConnection) this.destroy();
      else this.#pool.give(this, nowMs);
    } else this.destroy();
    exchange.onBodyEnd(nowMs);
  }
}
