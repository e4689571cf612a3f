/**
 * The life of one request, top to bottom: `begin` asks the router, `#attempt` sends it to a node, `onHead` and
 * `writeBody` carry the answer back, `onBodyEnd` ends it; `onNodeFailed` decides whether there is another attempt.
 *
 * One object per client connection, used again for each of its requests. Nothing on the way of a successful request
 * allocates a promise, a closure or a timer.
 */
import { type AttemptOutcome, DEFAULT_PARAMETERS } from '@rollcall/core';
import { LATENCY_BUCKETS_MS, type NodeId } from '@rollcall/protocol';
import { LAST_CHUNK } from '../http1/chunked.ts';
import { dateField } from '../http1/date-field.ts';
import { interimHeadText, requestHeadText, responseHeadText, switchHeadText } from '../http1/head-writer.ts';
import { isIdempotent, isRequestId, type RequestHead } from '../http1/request-head.ts';
import type { ResponseEdits, ResponseHead } from '../http1/response-head.ts';
import type { AttemptFailure, Choice, RoutingSlip, UpstreamNode } from '../routing.ts';
import { fieldValue } from './access-entry.ts';
import type { Block } from './body-blocks.ts';
import type { ClientConnection } from './client-connection.ts';
import { countLatency, countStatus, type EngineState } from './engine-state.ts';
import { NodeConnection } from './node-connection.ts';
import { RequestBody } from './request-body.ts';
import { decideRetry } from './retry.ts';
import { Tunnel } from './tunnel.ts';
import { UpstreamPool } from './upstream-pool.ts';

/** Up to here, head and body are written as one text; above, copying costs more than a second buffer. */
const ONE_WRITE_BYTES = 16_384;
const NOBODY: ReadonlySet<NodeId> = new Set();
/** Status in the access log when the client left before its answer was whole. */
const CLIENT_LEFT = 499;

export class Exchange implements ResponseEdits {
  readonly head: RequestHead;
  readonly slip: RoutingSlip = {
    node: undefined,
    setCookie: '',
    forwardCookie: undefined,
    forwardTarget: undefined,
    rewriteCookies: [],
    rewriteRoute: '',
    watchesCookies: false,
    hasSession: false,
    retriesLeft: 0,
    tried: NOBODY,
    balancer: '',
    stickyResult: '',
    state: undefined,
  };
  readonly body: RequestBody;
  requestId = '';
  /** The client does not take what the node sends; the node is not to blame for silence. */
  isClientSlow = false;
  /** False between requests. */
  isActive = false;
  startedMs = 0;
  readonly #client: ClientConnection;
  readonly #state: EngineState;
  #connection: NodeConnection | undefined;
  #sentMs = 0;
  #upstreamMs = -1;
  #attempts = 0;
  /** `onSend` was told and `onEnd` not yet. */
  #isCounted = false;
  #hasTriedFresh = false;
  #hasAnswered = false;
  #sawInterim = false;
  #isChunkedOut = false;
  /** The answer ends when the connection does: only a reset can show that it is not whole. */
  #isCloseDelimited = false;
  #status = 0;
  #bytesOutBefore = 0;

  constructor(client: ClientConnection, head: RequestHead, state: EngineState) {
    this.#client = client;
    this.head = head;
    this.#state = state;
    this.body = new RequestBody(state.limits, state.blocks);
  }

  // ---- what the response head is made with

  get method(): string {
    return this.head.method;
  }

  get nodeAuthority(): string {
    return this.slip.node?.authority ?? '';
  }

  get publicOrigin(): string {
    return this.head.authority === '' ? '' : `${this.head.isSecure ? 'https' : 'http'}://${this.head.authority}`;
  }

  get rewriteCookies(): readonly string[] {
    return this.slip.rewriteCookies;
  }

  get rewriteRoute(): string {
    return this.slip.rewriteRoute;
  }

  onSetCookie(value: string): void {
    if (this.slip.watchesCookies) this.#state.router.onSetCookie(this.slip, value);
  }

  // ---- the choice

  /**
   * A head has been read; `octets[start…]` came with it. Returns where the request ended, or `start` when it has to wait
   * for a node: its body is then still to be read.
   */
  begin(octets: Buffer, start: number, nowMs: number): number {
    const { totals, router, budget } = this.#state;
    const { head } = this;
    totals.requests++;
    totals.inFlight++;
    budget.earn();
    this.isActive = true;
    this.startedMs = nowMs;
    this.#upstreamMs = -1;
    this.#attempts = 0;
    this.#hasTriedFresh = false;
    this.#hasAnswered = false;
    this.#sawInterim = false;
    this.#isCloseDelimited = false;
    this.#bytesOutBefore = this.#client.bytesOut;
    this.body.begin(head.bodyLength);
    this.requestId = isRequestId(head.requestId)
      ? head.requestId
      : this.#state.requestIdPrefix + (++this.#state.requestNumber).toString(36);
    const choice = router.choose(head, this.slip, nowMs);
    const end = this.body.isComplete || choice === 'wait' ? start : this.readBody(octets, start);
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
      case 'unavailable':
        this.#state.totals.unavailable++;
        this.#answer(503);
        return;
      default:
        choice satisfies never;
    }
  }

  /** Waits, bounded in count and time, until the router has news. */
  #park(nowMs: number): void {
    const { waiting, limits, router } = this.#state;
    if (waiting.size >= limits.maxWaiting) {
      this.#state.totals.refusals.waiting++;
      this.#act('unavailable', nowMs);
      return;
    }
    waiting.add(this);
    this.#client.deadlineMs = nowMs + router.waitMs(this.slip);
  }

  /** The cluster has changed, or, when `isOver`, the wait is over. */
  askAgain(isOver: boolean): void {
    const nowMs = this.#state.now();
    const choice = this.#state.router.choose(this.head, this.slip, nowMs);
    if (choice === 'wait' && !isOver) return;
    this.#state.waiting.delete(this);
    this.#act(choice === 'wait' ? 'unavailable' : choice, nowMs);
    this.#client.onUnparked(nowMs);
  }

  get isWaiting(): boolean {
    return this.#state.waiting.size > 0 && this.#state.waiting.has(this);
  }

  // ---- the request on its way to the node

  #attempt(nowMs: number): void {
    const node = this.slip.node!;
    this.#attempts++;
    const pool = this.#poolOf(node);
    const connection =
      (this.#hasTriedFresh ? undefined : pool.take(isIdempotent(this.head.method), nowMs)) ??
      new NodeConnection(node, pool, this.#state);
    this.#connection = connection;
    connection.begin(this, nowMs);
    this.#sentMs = nowMs;
    if (!this.#isCounted) {
      this.#isCounted = true;
      this.#state.router.onSend(this.slip, nowMs);
    }
    this.#send(connection, this.#headText(node));
  }

  #poolOf(node: UpstreamNode): UpstreamPool<NodeConnection> {
    let pool = this.#state.pools.get(node);
    if (pool === undefined) {
      pool = new UpstreamPool(this.#state.limits.maxIdlePerNode);
      this.#state.pools.set(node, pool);
    }
    return pool;
  }

  #headText(node: UpstreamNode): string {
    const { head, slip } = this;
    const authority = head.authority === '' ? node.authority : head.authority;
    return requestHeadText(head, {
      target: slip.forwardTarget ?? head.target,
      fields: this.#client.requestFields(authority),
      cookie: slip.forwardCookie ?? head.cookie,
      requestId: this.requestId,
    });
  }

  /** Writes the head and what there is of the body, in one write when they are small. */
  #send(connection: NodeConnection, text: string): void {
    const { socket, writer } = connection;
    const { kept, keptBytes } = this.body;
    connection.node.tally.bytesToNode += text.length + keptBytes;
    let hasRoom: boolean;
    if (keptBytes === 0) hasRoom = writer.write(text);
    else if (keptBytes <= ONE_WRITE_BYTES) {
      let whole = text;
      for (const piece of kept) whole += piece.octets.toString('latin1');
      hasRoom = writer.write(whole);
    } else {
      writer.flush();
      socket.cork();
      hasRoom = socket.write(text, 'latin1');
      for (const piece of kept) hasRoom = piece.write(socket);
      socket.uncork();
    }
    if (!hasRoom && !this.body.isComplete) this.#client.pause();
  }

  /** More of the body. Returns where the request ended; what follows is the next one. */
  readBody(octets: Buffer, start: number): number {
    const { body } = this;
    const end = body.read(octets, start);
    if (body.isBroken) {
      this.#refuseBody();
      return octets.length;
    }
    if (body.piece !== undefined) {
      this.#forward(body.piece);
      body.piece.release();
    }
    return end;
  }

  #forward(piece: Block): void {
    const connection = this.#connection;
    if (connection === undefined) {
      // Not sent yet: the attempt is going to.
      this.body.keep(Number.POSITIVE_INFINITY);
      return;
    }
    if (!connection.hasAnswerBytes) this.body.keep(this.#state.limits.maxReplayBytes);
    connection.touch();
    connection.node.tally.bytesToNode += piece.octets.length;
    connection.writer.flush();
    if (!piece.write(connection.socket) && !this.body.isComplete) this.#client.pause();
  }

  /** The body breaks its own framing: the node must not see it end, the client is told and closed. */
  #refuseBody(): void {
    this.#state.totals.refusals['bad-body']++;
    this.#dropConnection('client');
    if (this.#hasAnswered) this.#client.destroy();
    else this.#answer(400);
  }

  /** The client was too slow in sending its body. */
  onBodyTimeout(): void {
    this.#state.totals.refusals['body-timeout']++;
    this.#dropConnection('client');
    if (this.#hasAnswered) this.#client.destroy();
    else this.#answer(408);
  }

  /** It is the client's turn: the body is not whole, and nothing keeps the client from sending it. */
  get isClientDue(): boolean {
    if (this.body.isComplete) return false;
    return !this.head.expectsContinue || this.#sawInterim || this.body.bytesRead > 0;
  }

  onNodeDrained(): void {
    this.#connection?.touch();
    this.#client.resume();
  }

  // ---- the answer on its way back

  /** An interim response: 100 to those who asked for it, others (103) to all who understand them. */
  onInterim(head: ResponseHead): void {
    this.#sawInterim = true;
    if (this.head.isHttp10 || (head.status === 100 && !this.head.expectsContinue)) return;
    this.#client.write(interimHeadText(head));
    if (head.status === 100) this.#client.onContinue();
  }

  /** A final head: tells the router and returns the client's head. */
  onHead(connection: NodeConnection, head: ResponseHead, nowMs: number): string {
    const { slip, head: request } = this;
    const { status, framing } = head;
    this.#hasAnswered = true;
    this.#status = status;
    if (this.body.keptBytes > 0) this.body.forget();
    const latencyMs = nowMs - this.#sentMs;
    this.#upstreamMs = latencyMs;
    const loadField = connection.node.readsLoadField ? head.load : '';
    this.#state.router.onResponseHead(slip, status, latencyMs, loadField, nowMs);
    countLatency(this.#state.totals, LATENCY_BUCKETS_MS, latencyMs);
    const hasOpenEnd = framing === 'chunked' || framing === 'close';
    this.#isChunkedOut = hasOpenEnd && !request.isHttp10;
    this.#isCloseDelimited = hasOpenEnd && request.isHttp10;
    // RFC 9112 §9.3: an answer that came before the request was whole leaves the connection unusable.
    if (!this.body.isComplete || this.#isCloseDelimited || this.#state.isClosing) request.keepsAlive = false;
    return responseHeadText(head, {
      setCookie: slip.setCookie,
      isChunked: this.#isChunkedOut,
      keepsAlive: request.keepsAlive,
      isHttp10: request.isHttp10,
      date: head.hasDate ? '' : dateField(),
    });
  }

  /**
   * Writes `octets[start, end)` of the body, with `headText` before it in the same write; `isLast` ends the body. What is
   * not written as text is copied: the octets are only valid until this returns.
   */
  writeBody(headText: string, octets: Buffer, start: number, end: number, isLast: boolean): void {
    const length = end - start;
    const isChunk = this.#isChunkedOut && length > 0;
    const before = isChunk ? `${headText}${length.toString(16)}\r\n` : headText;
    let after = isChunk ? '\r\n' : '';
    if (isLast && this.#isChunkedOut) after += LAST_CHUNK;
    let hasRoom = true;
    if (length === 0) {
      if (before !== '' || after !== '') hasRoom = this.#client.write(before + after);
    } else if (length <= ONE_WRITE_BYTES && (before !== '' || after !== ''))
      hasRoom = this.#client.write(before + octets.toString('latin1', start, end) + after);
    else hasRoom = this.#client.writeOctets(before, octets, start, end, after);
    if (hasRoom || this.isClientSlow) return;
    this.isClientSlow = true;
    this.#connection?.socket.pause();
    this.#client.onSlow();
  }

  /** The client takes more. */
  onClientDrained(): void {
    if (!this.isClientSlow) return;
    this.isClientSlow = false;
    this.#connection?.touch();
    this.#connection?.socket.resume();
  }

  /** The response is complete and written. */
  onBodyEnd(nowMs: number): void {
    this.#connection = undefined;
    this.#endCount(this.#status >= 500 ? 'server-error' : 'ok', nowMs);
    this.#close(this.#status, nowMs);
  }

  #close(status: number, nowMs: number): void {
    countStatus(this.#state.totals.statusClasses, status);
    this.#leave(status, nowMs);
    this.#client.onExchangeEnd(this.head.keepsAlive && this.body.isComplete, nowMs);
  }

  /** The exchange is over, whatever came of it. */
  #leave(status: number, nowMs: number): void {
    this.isActive = false;
    this.isClientSlow = false;
    this.#state.totals.inFlight--;
    if (this.body.keptBytes > 0) this.body.forget();
    if (this.#state.onAccess !== undefined) this.#tellAccess(status, nowMs);
  }

  #endCount(outcome: AttemptOutcome, nowMs: number): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    this.#state.router.onEnd(this.slip, outcome, nowMs);
  }

  #tellAccess(status: number, nowMs: number): void {
    const { head, slip } = this;
    this.#state.onAccess?.({
      client: this.#client.clientAddress(),
      method: head.method,
      host: head.host,
      target: head.target,
      userAgent: fieldValue(head.forwarded, 'user-agent'),
      referer: fieldValue(head.forwarded, 'referer'),
      isHttp10: head.isHttp10,
      status,
      bytesOut: this.#client.bytesOut - this.#bytesOutBefore,
      requestId: this.requestId,
      balancer: slip.balancer,
      sessionParameters: this.#state.router.sessionParameters?.(slip) ?? DEFAULT_PARAMETERS,
      stickyResult: slip.stickyResult,
      node: slip.node?.id,
      route: slip.node?.route,
      attempts: this.#attempts,
      upstreamMs: this.#upstreamMs,
      totalMs: nowMs - this.startedMs,
    });
  }

  // ---- when it does not go well

  onNodeFailed(connection: NodeConnection, failure: AttemptFailure): void {
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    const nowMs = this.#state.now();
    const { slip, head, body } = this;
    if (failure === 'refused' || failure === 'unreachable')
      this.#state.router.onConnectFailure(connection.node, failure, nowMs);
    if (this.#hasAnswered) {
      this.#endCount('failed', nowMs);
      this.#cut(nowMs);
      return;
    }
    let decision = decideRetry({
      failure,
      wasReused: connection.served > 0,
      hasAnswerBytes: connection.hasAnswerBytes,
      wasSent: connection.isConnected,
      isIdempotent: isIdempotent(head.method),
      canReplay: body.canReplay,
      hasTriedFresh: this.#hasTriedFresh,
      retriesLeft: slip.retriesLeft,
    });
    if (decision !== 'give-up' && !this.#state.budget.spend()) decision = 'give-up';
    if (decision === 'give-up') {
      this.#endCount('failed', nowMs);
      this.#answer(failure === 'timeout' || failure === 'unreachable' ? 504 : 502);
      return;
    }
    this.#state.totals.retries++;
    // The client may have been waiting for the node that is gone now.
    this.#client.resume();
    if (decision === 'same-node') {
      this.#hasTriedFresh = true;
      this.#attempt(nowMs);
      return;
    }
    this.#endCount('failed', nowMs);
    this.#hasTriedFresh = false;
    const choice = this.#state.router.chooseAgain(head, slip, failure, nowMs);
    if (choice === 'forward') this.#state.totals.failovers++;
    this.#act(choice, nowMs);
  }

  /** RFC 9112 §8: the client must see that its answer is not whole. */
  #cut(nowMs: number): void {
    countStatus(this.#state.totals.statusClasses, this.#status);
    this.#leave(this.#status, nowMs);
    this.#client.cut(this.#isCloseDelimited);
  }

  /** The client is gone: nobody waits for the answer. */
  abort(): void {
    if (!this.isActive) return;
    this.#state.waiting.delete(this);
    this.#state.totals.clientAborts++;
    this.#dropConnection('client');
    this.#leave(CLIENT_LEFT, this.#state.now());
  }

  #dropConnection(outcome: AttemptOutcome): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.destroy();
    this.#endCount(outcome, this.#state.now());
  }

  /** Answers in the node's place. */
  #answer(status: number): void {
    this.head.keepsAlive = this.head.keepsAlive && this.body.isComplete && status !== 400 && !this.#state.isClosing;
    this.#client.answer(status, this.requestId);
    this.#close(status, this.#state.now());
  }

  // ---- upgrades

  /** The node switches protocols: right only when the client asked for what the node names (RFC 9110 §15.2.2). */
  onSwitch(connection: NodeConnection, early: Buffer): void {
    const { head } = connection;
    if (!this.head.wantsUpgrade || head.upgrade.toLowerCase() !== 'websocket') {
      connection.destroy();
      this.onNodeFailed(connection, 'broken');
      return;
    }
    const nowMs = this.#state.now();
    this.#upstreamMs = nowMs - this.#sentMs;
    this.#state.router.onResponseHead(this.slip, 101, this.#upstreamMs, '', nowMs);
    this.#endCount('ok', nowMs);
    this.#connection = undefined;
    countStatus(this.#state.totals.statusClasses, 101);
    this.#client.write(switchHeadText(head, this.slip.setCookie));
    this.#leave(101, nowMs);
    const tunnel = new Tunnel(this.#client, connection, this.#state);
    connection.becomeTunnel(tunnel);
    this.#client.becomeTunnel(tunnel);
    if (early.length > 0) tunnel.toClient(early);
  }
}
