/**
 * One connection to a node. Serves one exchange at a time; between exchanges it lies in the node's pool, where any
 * octet or end from the node closes it (RFC 9112 §9.2: what nobody asked for is not a response).
 */
import net from 'node:net';
import { FAILURE, type Failure, failureOfError } from '../failure.ts';
import { ChunkedDecoder } from '../http1/chunked.ts';
import { PartialHead } from '../http1/partial-head.ts';
import { mayBeginResponse, ResponseHead } from '../http1/response-head.ts';
import type { UpstreamNode } from '../routing.ts';
import { tlsProblemOf } from '../tls/node-tls.ts';
import type { Deadlined } from './deadline-sweep.ts';
import type { Downstream } from './downstream.ts';
import type { EngineState } from './engine-state.ts';
import { readBeforeDestroy } from './last-octets.ts';
import { TextWriter } from './text-writer.ts';
import type { Tunnel } from './tunnel.ts';
import type { PooledConnection, UpstreamPool } from './upstream-pool.ts';

const NOTHING: Buffer = Buffer.alloc(0);
/** How long a node may take to read what is left of a tunnel whose client has closed, milliseconds. */
const FLUSH_MS = 5_000;
const EVENT_STREAM = /^content-type:[ \t]*text\/event-stream/im;

export class NodeConnection implements Deadlined, PooledConnection {
  readonly node: UpstreamNode;
  /** When the connect was begun. */
  readonly openedAtMs: number;
  readonly socket: net.Socket;
  readonly writer: TextWriter;
  readonly head: ResponseHead = new ResponseHead();
  deadlineMs: number = Number.POSITIVE_INFINITY;
  idleSinceMs = 0;
  /** How long the node keeps it open when idle, as registered or as its last response said; `undefined` unknown. */
  keepAliveMs: number | undefined;
  /** Exchanges served before the present one. */
  served = 0;
  isConnected = false;
  /** It is authenticated, or about to be, as the client of one client connection, which alone may use it from now on. */
  isBound = false;
  /** An octet has come since the present exchange began. */
  hasAnswerBytes = false;
  /** Octets of the present request have left before the write that is under way. */
  hasSentBefore = false;
  readonly #state: EngineState;
  readonly #pool: UpstreamPool<NodeConnection>;
  readonly #decoder: ChunkedDecoder;
  readonly #partial = new PartialHead();
  #exchange: Downstream | undefined;
  #tunnel: Tunnel | undefined;
  #inBody = false;
  #bodyLeft = 0;
  #interims = 0;
  /** The silence of an event stream has been found once and is allowed on. */
  #isLongIdle = false;
  /** The node has said something that leaves the connection in doubt. */
  #isDoubtful = false;
  /** What a tunnel's node had sent before it closed has been read to the end. */
  #hasReadLast = false;
  #isOver = false;

  constructor(node: UpstreamNode, pool: UpstreamPool<NodeConnection>, state: EngineState) {
    this.node = node;
    this.#pool = pool;
    this.#state = state;
    this.#decoder = new ChunkedDecoder(state.limits);
    this.keepAliveMs = node.keepAliveMs;
    const { port } = node;
    const target = state.guard?.target(node) ?? { host: node.host };
    const onConnect = (): void => {
      this.isConnected = true;
      if (node.isTls) node.tlsProblem = undefined;
      if (this.#exchange === undefined) return;
      this.touch();
      this.#exchange.onConnected(this);
    };
    this.socket = node.isTls
      ? state.nodeTls.connect(target, port, onConnect)
      : net.connect({ ...target, port, noDelay: true, allowHalfOpen: true, onread: this.#onread() }, onConnect);
    if (node.isTls) this.socket.setNoDelay(true);
    else state.reads?.attach(this.socket, (bytes) => this.#onData(state.readBuffer.view(bytes)));
    this.openedAtMs = state.now();
    this.deadlineMs = this.openedAtMs + state.limits.connectTimeoutMs;
    state.sweep.add(this);
    pool.opened(this);
    if (node.isTls) this.socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.socket.on('end', () => this.#onEnd());
    this.writer = new TextWriter(
      this.socket,
      node.isTls ? undefined : state.direct,
      () => this.#onDrained(),
      state.outbox,
    );
    this.socket.on('drain', () => this.#onDrained());
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      if (node.isTls && !this.isConnected) {
        node.tlsProblem = tlsProblemOf(error);
        state.log?.warn(
          { node: node.id, reason: error.message },
          'no TLS connection to a node; see --upstream-ca and --upstream-name',
        );
      }
      this.#fail(failureOfError(error.code, this.isConnected, this.served === 0, this.hasAnswerBytes));
    });
    this.socket.on('close', () => this.#onClose());
    readBeforeDestroy(this.socket, (octets) => this.#onLastOctets(octets));
  }

  /**
   * Plain sockets read into one buffer that all connections of an engine share: what is read is gone with the next read,
   * so whoever keeps or queues octets of it copies them.
   */
  #onread(): net.OnReadOpts {
    const { readBuffer } = this.#state;
    return {
      buffer: readBuffer.octets,
      callback: (bytes) => {
        this.#onData(readBuffer.view(bytes));
        return true;
      },
    };
  }

  /** Begins an exchange. The caller writes the request to `socket`. */
  begin(exchange: Downstream, nowMs: number): void {
    this.#exchange = exchange;
    this.hasAnswerBytes = false;
    this.hasSentBefore = false;
    this.#interims = 0;
    this.#inBody = false;
    this.#isDoubtful = false;
    this.#isLongIdle = false;
    if (this.isConnected) this.deadlineMs = nowMs + exchange.headTimeoutMs(nowMs);
  }

  /** The node is silent with reason, or has just been given something: its time starts anew. */
  touch(): void {
    const { now, limits } = this.#state;
    if (!this.isConnected || this.#exchange === undefined) return;
    const nowMs = now();
    this.deadlineMs = nowMs + (this.#inBody ? limits.upstreamIdleMs : this.#exchange.headTimeoutMs(nowMs));
  }

  /** From now on octets go both ways unread. */
  becomeTunnel(tunnel: Tunnel): void {
    this.#tunnel = tunnel;
    this.#exchange = undefined;
    this.#partial.clear();
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  /** Ends the connection without telling its exchange. `isFlushed`: once what was written has left. */
  destroy(isFlushed = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#exchange = undefined;
    this.#state.sweep.remove(this);
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

  /** An event stream is silent for as long as nothing happens: it has a bound of its own. */
  #mayStayIdle(): boolean {
    const { upstreamIdleMs, eventStreamIdleMs } = this.#state.limits;
    if (this.#isLongIdle || eventStreamIdleMs <= upstreamIdleMs || !EVENT_STREAM.test(this.head.forwarded))
      return false;
    this.#isLongIdle = true;
    this.deadlineMs = this.#state.now() + eventStreamIdleMs - upstreamIdleMs;
    return true;
  }

  /** `atMs` is the sweep's instant for a deadline: failures that one sweep finds have the same. */
  #fail(failure: Failure, atMs = this.#state.now()): void {
    if (this.#isOver) return;
    const exchange = this.#exchange;
    const isClosed = failure === FAILURE.closed || failure === FAILURE.closedUnused;
    if (!exchange && !this.#tunnel) {
      this.#state.router.onNodeClosed(this.node, atMs - this.idleSinceMs, atMs);
      this.#pool.closedByNode(this, atMs);
    } else if (isClosed && exchange && !this.hasAnswerBytes) this.#state.router.onNodeClosed(this.node, 0, atMs);
    const inBody = this.#inBody;
    this.destroy();
    if (inBody && isClosed) exchange?.onNodeFailed(this, FAILURE.cut, atMs);
    else if (isClosed && this.hasAnswerBytes) exchange?.onNodeFailed(this, FAILURE.broken, atMs);
    else exchange?.onNodeFailed(this, failure, atMs);
  }

  /**
   * Received before a write failed. On a connection that has served requests the first write of another one may meet
   * what the node sent when it closed the idle connection, which answers nothing (RFC 9112 §9.2).
   */
  #onLastOctets(octets: Buffer): void {
    if (this.#tunnel) this.#hasReadLast = true;
    if (this.#tunnel || this.served === 0 || this.hasSentBefore) this.#onData(octets);
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
      exchange.onBodyEnd(this.#state.now());
    } else this.#fail(this.served === 0 && !this.hasAnswerBytes ? FAILURE.closedUnused : FAILURE.closed);
  }

  #onData(chunk: Buffer): void {
    this.node.tally.bytesFromNode += chunk.length;
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
      const nowMs = this.#state.now();
      this.deadlineMs = nowMs + this.#state.limits.upstreamIdleMs;
      this.#isLongIdle = false;
      this.#onBody(exchange, chunk, 0, '', nowMs);
    } else this.#onHeadBytes(exchange, this.#partial.join(chunk));
  }

  /** Collects heads until the final one; interim ones go to the client at once. */
  #onHeadBytes(exchange: Downstream, octets: Buffer): void {
    const { limits, log } = this.#state;
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
        log?.debug({ node: this.node.id, why }, 'broken response');
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
    const nowMs = this.#state.now();
    const { framing, bodyLength, keepAliveMs } = this.head;
    if (keepAliveMs !== undefined) this.keepAliveMs = keepAliveMs;
    this.#bodyLeft = framing === 'length' ? bodyLength : 0;
    if (framing === 'chunked') this.#decoder.reset();
    this.#inBody = true;
    this.deadlineMs = nowMs + this.#state.limits.upstreamIdleMs;
    this.#onBody(exchange, octets, bodyStart, exchange.onHead(this, this.head, nowMs), nowMs);
  }

  /** Forwards `octets[start…]` of the body; `headText` is the client's head, still to be written before it. */
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

  /** The response is complete. `isClean`: nothing came after it. */
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
    // Into the pool before the exchange ends: the next request of the same client may take it again at once.
    if (isReusable) {
      if (this.socket.isPaused()) this.socket.resume();
      if (this.isBound) this.#pool.giveBound(this, nowMs);
      else if (this.head.bindsConnection) this.destroy();
      else this.#pool.give(this, nowMs);
    } else this.destroy();
    exchange.onBodyEnd(nowMs);
  }
}
