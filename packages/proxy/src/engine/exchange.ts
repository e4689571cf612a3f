/**
 * The life of one request, top to bottom: `begin` asks the router, `#attempt` sends it to a node, `onHead` and
 * `writeBody` carry the answer back, `onBodyEnd` ends it; `onNodeFailed` decides whether there is another attempt.
 *
 * One object per client connection, used again for each of its requests. Nothing on the way of a successful request
 * allocates a promise, a closure or a timer.
 */

import type { NodeId } from '@rollcall/protocol';
import { LATENCY_BUCKETS_MS } from '@rollcall/protocol';
import { ChunkedDecoder } from '../http1/chunked.ts';
import { isIdempotent, isRequestId, type RequestHead } from '../http1/request-head.ts';
import type { ResponseEdits, ResponseHead } from '../http1/response-head.ts';
import type { AttemptFailure, Choice, RoutingSlip, UpstreamNode } from '../routing.ts';
import type { ClientConnection } from './client-connection.ts';
import { countLatency, type EngineState } from './engine-state.ts';
import { NodeConnection } from './node-connection.ts';
import { decideRetry } from './retry.ts';
import { Tunnel } from './tunnel.ts';
import { UpstreamPool } from './upstream-pool.ts';

/** Up to here, head and body are written as one text; above, copying costs more than a second buffer. */
const ONE_WRITE_BYTES = 16_384;
const NOBODY: ReadonlySet<NodeId> = new Set();

export class Exchange implements ResponseEdits {
  readonly head: RequestHead;
  readonly slip: RoutingSlip = {
    node: undefined,
    setCookie: '',
    forwardCookie: undefined,
    forwardTarget: undefined,
    rewriteCookies: [],
    rewriteRoute: '',
    hasSession: false,
    retriesLeft: 0,
    tried: NOBODY,
    balancer: '',
    stickyResult: '',
    state: undefined,
  };
  requestId = '';
  /** All of the request has been read from the client. */
  isRequestComplete = true;
  /** The client does not take what the node sends; the node is not to blame for silence. */
  isClientSlow = false;
  /** False between requests. */
  isActive = false;
  startedMs = 0;
  readonly #client: ClientConnection;
  readonly #state: EngineState;
  readonly #decoder: ChunkedDecoder;
  #connection: NodeConnection | undefined;
  #bodyLeft = 0;
  /** What of the body was sent, in the form it was sent, until an answer begins. */
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #canReplay = true;
  #sentMs = 0;
  /** `onSend` was told and `onEnd` not yet. */
  #isCounted = false;
  #hasTriedFresh = false;
  #hasAnswered = false;
  #isChunkedOut = false;
  #status = 0;
  #heldHead = '';
  #tunnel: Tunnel | undefined;

  constructor(client: ClientConnection, head: RequestHead, state: EngineState) {
    this.#client = client;
    this.head = head;
    this.#state = state;
    this.#decoder = new ChunkedDecoder(state.limits);
  }

  get method(): string {
    return this.head.method;
  }

  get nodeAuthority(): string {
    return this.slip.node?.authority ?? '';
  }

  get publicOrigin(): string {
    return this.head.authority === '' ? '' : `${this.#client.scheme}://${this.head.authority}`;
  }

  get rewriteCookies(): readonly string[] {
    return this.slip.rewriteCookies;
  }

  get rewriteRoute(): string {
    return this.slip.rewriteRoute;
  }

  /** A head has been read; `octets[start…]` came with it. Returns where the request ended. */
  begin(octets: Buffer, start: number, nowMs: number): number {
    const { totals, router, budget } = this.#state;
    totals.requests++;
    totals.inFlight++;
    budget.earn();
    this.isActive = true;
    this.startedMs = nowMs;
    this.#hasTriedFresh = false;
    this.#hasAnswered = false;
    this.#canReplay = true;
    this.#keptBytes = 0;
    if (this.#kept.length > 0) this.#kept = [];
    this.#bodyLeft = this.head.bodyLength;
    this.isRequestComplete = this.#bodyLeft === 0;
    if (this.#bodyLeft < 0) this.#decoder.reset();
    this.requestId = isRequestId(this.head.requestId)
      ? this.head.requestId
      : `${this.#state.requestIdPrefix}${(++this.#state.requestNumber).toString(36)}`;
    const choice = router.choose(this.head, this.slip, nowMs);
    const end = this.isRequestComplete ? start : this.#readBody(octets, start);
    if (this.isActive) this.#act(choice, nowMs);
    return end;
  }

  #act(choice: Choice, nowMs: number): void {
    switch (choice) {
      case 'forward':
        this.#attempt(nowMs);
        return;
      case 'wait':
        this.#park(nowMs);
        return;
      case 'not-found':
        this.#answer(404);
        return;
      case 'ambiguous':
        this.#answer(400);
        return;
      default:
        this.#state.totals.unavailable++;
        this.#answer(503);
    }
  }

  /** Waits, bounded in count and time, until the router has news. */
  #park(nowMs: number): void {
    const { waiting, limits, router } = this.#state;
    if (waiting.size >= limits.maxWaiting) {
      this.#act('unavailable', nowMs);
      return;
    }
    waiting.add(this);
    this.#client.deadlineMs = nowMs + router.waitMs(this.slip);
    this.#client.pause();
  }

  /** The cluster has changed, or the wait is over. */
  askAgain(isOver: boolean): void {
    const nowMs = this.#state.now();
    const choice = this.#state.router.choose(this.head, this.slip, nowMs);
    if (choice === 'wait' && !isOver) return;
    this.#state.waiting.delete(this);
    this.#client.unpark();
    this.#act(choice === 'wait' ? 'unavailable' : choice, nowMs);
  }

  get isWaiting(): boolean {
    return this.#state.waiting.has(this);
  }

  // ---- the request on its way to the node

  #attempt(nowMs: number): void {
    const node = this.slip.node!;
    let pool = this.#state.pools.get(node);
    if (pool === undefined) {
      pool = new UpstreamPool(this.#state.limits.maxIdlePerNode);
      this.#state.pools.set(node, pool);
    }
    const connection =
      (this.#hasTriedFresh ? undefined : pool.take(isIdempotent(this.head.method), nowMs)) ??
      new NodeConnection(node, pool, this.#state);
    this.#connection = connection;
    connection.begin(this);
    this.#sentMs = nowMs;
    if (!this.#isCounted) {
      this.#isCounted = true;
      this.#state.router.onSend(this.slip, nowMs);
    }
    this.#send(connection, this.#requestText(node));
  }

  #send(connection: NodeConnection, text: string): void {
    const { socket } = connection;
    this.slip.node!.tally.bytesToNode += text.length + this.#keptBytes;
    let hasRoom: boolean;
    if (this.#keptBytes === 0) hasRoom = socket.write(text, 'latin1');
    else if (this.#keptBytes <= ONE_WRITE_BYTES) {
      let whole = text;
      for (const piece of this.#kept) whole += piece.toString('latin1');
      hasRoom = socket.write(whole, 'latin1');
    } else {
      socket.cork();
      hasRoom = socket.write(text, 'latin1');
      for (const piece of this.#kept) hasRoom = socket.write(piece);
      socket.uncork();
    }
    if (!hasRoom && !this.isRequestComplete) this.#client.pause();
    else this.#client.resume();
  }

  /** The head as the node gets it: everything is written anew, nothing is passed through unread. */
  #requestText(node: UpstreamNode): string {
    const { head, slip } = this;
    const authority = head.authority === '' ? node.authority : head.authority;
    const cookie = slip.forwardCookie ?? head.cookie;
    let text = `${head.method} ${slip.forwardTarget ?? head.target} HTTP/1.1\r\nHost: ${authority}\r\n${head.forwarded}`;
    if (cookie !== '') text += `Cookie: ${cookie}\r\n`;
    text += this.#client.identityFields(head, authority);
    text += `X-Request-Id: ${this.requestId}\r\nVia: ${head.via === '' ? '' : `${head.via}, `}${head.isHttp10 ? '1.0' : '1.1'} ${this.#state.viaName}\r\n`;
    if (head.maxForwards > 0) text += `Max-Forwards: ${head.maxForwards - 1}\r\n`;
    if (head.bodyLength < 0) text += 'Transfer-Encoding: chunked\r\n';
    else if (head.bodyLength > 0 || head.method === 'POST' || head.method === 'PUT' || head.method === 'PATCH')
      text += `Content-Length: ${head.bodyLength}\r\n`;
    if (head.expectsContinue) text += 'Expect: 100-continue\r\n';
    if (head.wantsUpgrade) text += 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
    return `${text}\r\n`;
  }

  /** More octets of the client. Returns where the request ended; what follows is the next one. */
  onRequestData(octets: Buffer): number {
    return this.#readBody(octets, 0);
  }

  #readBody(octets: Buffer, start: number): number {
    this.#connection?.touch();
    if (this.head.bodyLength >= 0) {
      const end = Math.min(octets.length, start + this.#bodyLeft);
      this.#bodyLeft -= end - start;
      if (this.#bodyLeft === 0) this.isRequestComplete = true;
      if (end > start) this.#forward(octets.subarray(start, end));
      return end;
    }
    const pieces: Buffer[] = [];
    const end = this.#decoder.decode(octets, start, octets.length, (from, to) =>
      pieces.push(chunkOf(octets, from, to)),
    );
    if (this.#decoder.isBroken) {
      this.#refuseBody();
      return octets.length;
    }
    if (this.#decoder.isDone) {
      this.isRequestComplete = true;
      pieces.push(LAST_CHUNK);
    }
    if (pieces.length > 0) this.#forward(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
    return end;
  }

  /** The body breaks its own framing: the node must not see it end, the client is told and closed. */
  #refuseBody(): void {
    this.#state.totals.rejected++;
    this.#dropConnection('client');
    if (this.#hasAnswered) this.#client.destroy();
    else this.#answer(400);
  }

  #forward(piece: Buffer): void {
    const connection = this.#connection;
    if (this.#canReplay && !this.#hasAnswered && connection?.hasAnswerBytes !== true) {
      if (connection !== undefined && this.#keptBytes + piece.length > this.#state.limits.maxReplayBytes) {
        this.#canReplay = false;
        this.#kept = [];
        this.#keptBytes = 0;
      } else {
        this.#kept.push(piece);
        this.#keptBytes += piece.length;
      }
    }
    if (connection === undefined) return;
    connection.node.tally.bytesToNode += piece.length;
    if (!connection.socket.write(piece) && !this.isRequestComplete) this.#client.pause();
  }

  onNodeDrained(): void {
    this.#client.resume();
    this.#connection?.touch();
  }

  // ---- the answer on its way back

  /** An interim response: 100 to those who asked for it, others (103) to all who understand them. */
  onInterim(head: ResponseHead): void {
    if (this.head.isHttp10 || (head.status === 100 && !this.head.expectsContinue)) return;
    this.#client.write(`HTTP/1.1 ${head.status} ${head.reason}\r\n${head.forwarded}\r\n`);
  }

  /** A final head: tells the router and returns the client's head. */
  onHead(connection: NodeConnection, head: ResponseHead): string {
    const nowMs = this.#state.now();
    const { slip, head: request } = this;
    this.#hasAnswered = true;
    this.#status = head.status;
    if (this.#keptBytes > 0) {
      this.#kept = [];
      this.#keptBytes = 0;
    }
    const latencyMs = nowMs - this.#sentMs;
    this.#state.router.onResponseHead(
      slip,
      head.status,
      latencyMs,
      connection.node.readsLoadField ? head.load : '',
      nowMs,
    );
    countLatency(this.#state.totals.latencyBuckets, LATENCY_BUCKETS_MS, latencyMs);
    if (!this.isRequestComplete) request.keepsAlive = false;
    this.#isChunkedOut = (head.framing === 'chunked' || head.framing === 'close') && !request.isHttp10;
    let text = `HTTP/1.1 ${head.status} ${head.reason}\r\n${head.forwarded}`;
    if (slip.setCookie !== '') text += `Set-Cookie: ${slip.setCookie}\r\n`;
    if (this.#isChunkedOut) text += 'Transfer-Encoding: chunked\r\n';
    else if (head.bodyLength >= 0) text += `Content-Length: ${head.bodyLength}\r\n`;
    else if (head.framing !== 'none') request.keepsAlive = false;
    if (this.#state.isClosing) request.keepsAlive = false;
    if (!request.keepsAlive) text += 'Connection: close\r\n';
    else if (request.isHttp10) text += 'Connection: keep-alive\r\n';
    return `${text}\r\n`;
  }

  writeHead(text: string): void {
    if (text !== '') this.#written(this.#client.write(text));
  }

  /** Keeps the head until the first run of body, so that both leave in one write. */
  holdHead(text: string): void {
    this.#heldHead = text;
  }

  /** Writes a held head that no body came for. */
  flushHead(): void {
    if (this.#heldHead === '') return;
    const text = this.#heldHead;
    this.#heldHead = '';
    this.writeHead(text);
  }

  /** Writes `octets[start, end)` of the body, after `headText` when that is not empty. */
  writeBody(headText: string, octets: Buffer, start: number, end: number): void {
    const length = end - start;
    let text = headText === '' ? this.#heldHead : headText;
    this.#heldHead = '';
    if (length === 0) {
      this.writeHead(text);
      return;
    }
    if (this.#isChunkedOut) text += `${length.toString(16)}\r\n`;
    if (length <= ONE_WRITE_BYTES && (text !== '' || this.#isChunkedOut)) {
      this.#written(
        this.#client.write(
          this.#isChunkedOut
            ? `${text}${octets.toString('latin1', start, end)}\r\n`
            : text + octets.toString('latin1', start, end),
        ),
      );
      return;
    }
    this.#written(this.#client.writeOctets(text, octets.subarray(start, end), this.#isChunkedOut ? '\r\n' : ''));
  }

  #written(hasRoom: boolean): void {
    if (hasRoom || this.isClientSlow) return;
    this.isClientSlow = true;
    this.#connection?.socket.pause();
  }

  /** The client takes more. */
  onClientDrained(): void {
    this.isClientSlow = false;
    this.#connection?.touch();
    this.#connection?.socket.resume();
  }

  /** The response is complete. */
  onBodyEnd(_isReusable: boolean): void {
    this.#connection = undefined;
    if (this.#isChunkedOut) this.#client.write('0\r\n\r\n');
    this.#endCount(this.#status >= 500 ? 'server-error' : 'ok');
    this.#close(this.#status);
  }

  #close(status: number): void {
    const { totals } = this.#state;
    this.isActive = false;
    this.isClientSlow = false;
    totals.inFlight--;
    const statusClass = Math.floor(status / 100) - 1;
    if (statusClass >= 0 && statusClass < 5) totals.statusClasses[statusClass]! += 1;
    this.#client.onExchangeEnd(this.head.keepsAlive && this.isRequestComplete);
  }

  #endCount(outcome: 'ok' | 'server-error' | 'failed' | 'client'): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    this.#state.router.onEnd(this.slip, outcome, this.#state.now());
  }

  // ---- when it does not go well

  onNodeFailed(connection: NodeConnection, failure: AttemptFailure): void {
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    const nowMs = this.#state.now();
    const { slip, head } = this;
    if (failure === 'refused' || failure === 'unreachable')
      this.#state.router.onConnectFailure(connection.node, failure, nowMs);
    if (this.#hasAnswered) {
      // RFC 9112 §8: the client must see that the answer is not whole.
      this.#endCount('failed');
      this.#client.cut();
      return;
    }
    let decision = decideRetry({
      failure,
      wasReused: connection.served > 0,
      hasAnswerBytes: connection.hasAnswerBytes,
      wasSent: connection.isConnected,
      isIdempotent: isIdempotent(head.method),
      canReplay: this.#canReplay,
      hasTriedFresh: this.#hasTriedFresh,
      retriesLeft: slip.retriesLeft,
    });
    if (decision !== 'give-up' && !this.#state.budget.spend()) decision = 'give-up';
    if (decision === 'give-up') {
      this.#endCount('failed');
      this.#answer(failure === 'timeout' || failure === 'unreachable' ? 504 : 502);
      return;
    }
    this.#state.totals.retries++;
    if (decision === 'same-node') {
      this.#hasTriedFresh = true;
      this.#attempt(nowMs);
      return;
    }
    this.#endCount('failed');
    this.#hasTriedFresh = false;
    const choice = this.#state.router.chooseAgain(head, slip, failure, nowMs);
    if (choice === 'forward') this.#state.totals.failovers++;
    this.#act(choice, nowMs);
  }

  /** The client is gone or misbehaves: nobody waits for the answer. */
  abort(): void {
    if (!this.isActive) return;
    this.#state.waiting.delete(this);
    this.#state.totals.clientAborts++;
    this.#state.totals.inFlight--;
    this.isActive = false;
    this.#dropConnection('client');
  }

  #dropConnection(outcome: 'client' | 'failed'): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.detach();
    connection?.destroy();
    this.#endCount(outcome);
  }

  /** Answers in the node's place. */
  #answer(status: number): void {
    this.head.keepsAlive = this.head.keepsAlive && this.isRequestComplete && status !== 400;
    this.#client.answer(status, this);
    this.#close(status);
  }

  // ---- upgrades

  /** The node switches protocols: right only when the client asked for what the node names (RFC 9110 §15.2.2). */
  onSwitch(connection: NodeConnection, early: Buffer): void {
    const { head } = connection;
    if (!this.head.wantsUpgrade || head.upgrade.toLowerCase() !== 'websocket') {
      connection.detach();
      connection.destroy();
      this.onNodeFailed(connection, 'broken');
      return;
    }
    const nowMs = this.#state.now();
    this.#state.router.onResponseHead(this.slip, 101, nowMs - this.#sentMs, '', nowMs);
    this.#endCount('ok');
    this.isActive = false;
    this.#connection = undefined;
    this.#state.totals.inFlight--;
    this.#state.totals.statusClasses[0]! += 1;
    const cookie = this.slip.setCookie === '' ? '' : `Set-Cookie: ${this.slip.setCookie}\r\n`;
    this.#client.write(
      `HTTP/1.1 101 Switching Protocols\r\n${head.forwarded}${cookie}Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n\r\n`,
    );
    this.#tunnel = new Tunnel(this.#client, connection, this.#state);
    this.#client.becomeTunnel(this.#tunnel);
    if (early.length > 0) this.#tunnel.toClient(early);
  }

  onTunnelData(octets: Buffer): void {
    this.#tunnel?.toClient(octets);
  }

  onNodeEndedTunnel(): void {
    this.#tunnel?.onNodeEnd();
  }
}

const LAST_CHUNK = Buffer.from('0\r\n\r\n', 'latin1');

/** `octets[from, to)` as one chunk. */
function chunkOf(octets: Buffer, from: number, to: number): Buffer {
  const size = `${(to - from).toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafe(size.length + to - from + 2);
  chunk.write(size, 0, 'latin1');
  octets.copy(chunk, size.length, from, to);
  chunk.write('\r\n', chunk.length - 2, 'latin1');
  return chunk;
}
