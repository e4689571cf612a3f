/**
 * One connection to a node. Serves one exchange at a time; between exchanges it lies in the node's pool, where any
 * octet or end from the node closes it (RFC 9112 §9.2: what nobody asked for is not a response).
 */
import net from 'node:net';
import tls from 'node:tls';
import { ChunkedDecoder } from '../http1/chunked.ts';
import { ResponseHead } from '../http1/response-head.ts';
import type { AttemptFailure, UpstreamNode } from '../routing.ts';
import type { Deadlined } from './deadline-sweep.ts';
import type { EngineState } from './engine-state.ts';
import type { Exchange } from './exchange.ts';
import type { UpstreamPool } from './upstream-pool.ts';

const END_OF_HEAD = Buffer.from('\r\n\r\n', 'latin1');
const NOTHING = Buffer.alloc(0);

export class NodeConnection implements Deadlined {
  readonly node: UpstreamNode;
  readonly socket: net.Socket;
  readonly head: ResponseHead = new ResponseHead();
  deadlineMs: number = Number.POSITIVE_INFINITY;
  idleSinceMs = 0;
  keepAliveMs: number | undefined;
  /** Exchanges served before the present one. */
  served = 0;
  isConnected = false;
  /** An octet has come since the present exchange began. */
  hasAnswerBytes = false;
  readonly #state: EngineState;
  readonly #pool: UpstreamPool;
  readonly #decoder: ChunkedDecoder;
  #exchange: Exchange | undefined;
  #partialHead: Buffer = NOTHING;
  #inBody = false;
  #bodyLeft = 0;
  #interim = 0;
  #isTunnel = false;
  #isOver = false;

  constructor(node: UpstreamNode, pool: UpstreamPool, state: EngineState) {
    this.node = node;
    this.#pool = pool;
    this.#state = state;
    this.#decoder = new ChunkedDecoder(state.limits);
    this.keepAliveMs = node.keepAliveMs;
    const { host, port } = node;
    const onConnect = (): void => {
      this.isConnected = true;
      if (this.#exchange && !this.#isTunnel) this.deadlineMs = state.now() + state.limits.upstreamTimeoutMs;
    };
    this.socket = node.isTls
      ? tls.connect({ host, port, ...(net.isIP(host) ? {} : { servername: host }) }, onConnect)
      : net.connect({ host, port, noDelay: true, allowHalfOpen: true }, onConnect);
    if (node.isTls) this.socket.setNoDelay(true);
    this.deadlineMs = state.now() + state.limits.connectTimeoutMs;
    state.sweep.add(this);
    this.socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.socket.on('end', () => this.#onEnd());
    this.socket.on('drain', () => this.#exchange?.onNodeDrained());
    this.socket.on('error', (error: NodeJS.ErrnoException) => this.#fail(failureOf(error, this.isConnected)));
    this.socket.on('close', () => this.#fail('reset'));
  }

  /** Begins an exchange. The caller writes the request to `socket`. */
  begin(exchange: Exchange): void {
    this.#exchange = exchange;
    this.hasAnswerBytes = false;
    this.#interim = 0;
    this.#inBody = false;
    this.#partialHead = NOTHING;
    if (this.isConnected) this.deadlineMs = this.#state.now() + this.#state.limits.upstreamTimeoutMs;
  }

  /** The node is silent with reason: it still gets the request. Starts its time anew. */
  touch(): void {
    if (this.isConnected) this.deadlineMs = this.#state.now() + this.#state.limits.upstreamTimeoutMs;
  }

  /** Takes the exchange off; nothing more is told to it. */
  detach(): void {
    this.#exchange = undefined;
  }

  /** From now on octets go both ways unread. */
  becomeTunnel(): void {
    this.#isTunnel = true;
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  destroy(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#exchange = undefined;
    this.#state.sweep.remove(this);
    this.#pool.drop(this);
    this.socket.destroy();
  }

  onDeadline(): void {
    if (!this.#exchange) this.destroy();
    else if (this.#exchange.isClientSlow) this.touch();
    else this.#fail(this.isConnected ? 'timeout' : 'unreachable');
  }

  #fail(failure: AttemptFailure): void {
    if (this.#isOver) return;
    const exchange = this.#exchange;
    const isBroken = failure === 'reset' && this.hasAnswerBytes && !this.#inBody;
    this.destroy();
    exchange?.onNodeFailed(this, isBroken ? 'broken' : failure);
  }

  #onEnd(): void {
    if (this.#isTunnel) {
      this.#exchange?.onNodeEndedTunnel();
    } else if (this.#exchange && this.#inBody && this.head.framing === 'close') {
      const exchange = this.#exchange;
      this.destroy();
      exchange.onBodyEnd(false);
    } else this.#fail('reset');
  }

  #onData(chunk: Buffer): void {
    const exchange = this.#exchange;
    if (!exchange) {
      this.destroy();
      return;
    }
    this.node.tally.bytesFromNode += chunk.length;
    if (this.#isTunnel) exchange.onTunnelData(chunk);
    else {
      this.deadlineMs = this.#state.now() + this.#state.limits.upstreamTimeoutMs;
      this.hasAnswerBytes = true;
      if (this.#inBody) this.#onBody(exchange, chunk, 0, '');
      else this.#onHeadBytes(exchange, chunk);
    }
  }

  /** Collects heads until the final one; interim ones go to the client at once. */
  #onHeadBytes(exchange: Exchange, chunk: Buffer): void {
    let octets = this.#partialHead.length === 0 ? chunk : Buffer.concat([this.#partialHead, chunk]);
    this.#partialHead = NOTHING;
    for (;;) {
      const end = octets.indexOf(END_OF_HEAD);
      if (end < 0) {
        if (octets.length > this.#state.limits.maxFieldBytes + this.#state.limits.maxLineBytes) this.#fail('broken');
        else this.#partialHead = octets;
        return;
      }
      const why = this.head.read(octets.toString('latin1', 0, end), exchange.method, exchange, this.#state.limits);
      if (why !== undefined) {
        this.#state.log?.debug({ node: this.node.id, why }, 'broken response');
        this.#fail('broken');
        return;
      }
      if (this.head.status >= 200) {
        this.#onFinalHead(exchange, octets, end + 4);
        return;
      }
      if (this.head.status === 101) {
        exchange.onSwitch(this, octets.subarray(end + 4));
        return;
      }
      if (++this.#interim > this.#state.limits.maxInterim) {
        this.#fail('broken');
        return;
      }
      exchange.onInterim(this.head);
      octets = octets.subarray(end + 4);
      if (octets.length === 0) return;
    }
  }

  #onFinalHead(exchange: Exchange, octets: Buffer, bodyStart: number): void {
    if (this.head.keepAliveMs !== undefined) this.keepAliveMs = this.head.keepAliveMs;
    const { framing } = this.head;
    this.#bodyLeft = framing === 'length' ? this.head.bodyLength : 0;
    if (framing === 'chunked') this.#decoder.reset();
    this.#inBody = true;
    this.#onBody(exchange, octets, bodyStart, exchange.onHead(this, this.head));
  }

  /** Forwards `octets[start…]` of the body; `headText` is the client's head, still to be written before it. */
  #onBody(exchange: Exchange, octets: Buffer, start: number, headText: string): void {
    switch (this.head.framing) {
      case 'none':
        exchange.writeHead(headText);
        this.#finish(exchange, start === octets.length);
        return;
      case 'length': {
        const end = Math.min(octets.length, start + this.#bodyLeft);
        this.#bodyLeft -= end - start;
        exchange.writeBody(headText, octets, start, end);
        if (this.#bodyLeft === 0) this.#finish(exchange, end === octets.length);
        return;
      }
      case 'close':
        exchange.writeBody(headText, octets, start, octets.length);
        return;
      default: {
        if (headText !== '') exchange.holdHead(headText);
        const end = this.#decoder.decode(octets, start, octets.length, (from, to) =>
          exchange.writeBody('', octets, from, to),
        );
        exchange.flushHead();
        if (this.#decoder.isBroken) this.#fail('broken');
        else if (this.#decoder.isDone) this.#finish(exchange, end === octets.length);
      }
    }
  }

  /** The response is complete. `isClean`: nothing came after it. */
  #finish(exchange: Exchange, isClean: boolean): void {
    this.#exchange = undefined;
    this.served++;
    const isReusable = isClean && this.head.keepsAlive && exchange.isRequestComplete && !this.socket.readableEnded;
    exchange.onBodyEnd(isReusable);
    if (isReusable) {
      if (this.socket.isPaused()) this.socket.resume();
      this.#pool.give(this, this.#state.now());
    } else this.destroy();
  }
}

function failureOf(error: NodeJS.ErrnoException, wasConnected: boolean): AttemptFailure {
  if (wasConnected) return 'reset';
  return error.code === 'ECONNREFUSED' ? 'refused' : 'unreachable';
}
