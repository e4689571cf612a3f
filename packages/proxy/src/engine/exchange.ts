/**
 * The life of one request, top to bottom: `begin` asks the router, `#attempt` sends it to a node, `onHead` and
 * `writeBody` carry the answer back, `onBodyEnd` ends it; `onNodeFailed` decides whether there is another attempt.
 *
 * One object per client connection, used again for each of its requests. Nothing on the way of a successful request
 * allocates a promise, a closure or a timer.
 */
import { type AttemptOutcome, DEFAULT_PARAMETERS } from '@rollcall/core';
import { LATENCY_BUCKETS_MS, type NodeId } from '@rollcall/protocol';
import { countsAgainstNode, FAILURE, type Failure } from '../failure.ts';
import { LAST_CHUNK } from '../http1/chunked.ts';
import { dateField } from '../http1/date-field.ts';
import { interimHeadText, requestHeadText, responseHeadText, switchHeadText } from '../http1/head-writer.ts';
import { isIdempotent, isRequestId, type RequestHead } from '../http1/request-head.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import type { Choice, RoutingSlip, UpstreamNode, WaitKind } from '../routing.ts';
import { fieldValue } from './access-entry.ts';
import type { Block } from './body-blocks.ts';
import type { ClientConnection } from './client-connection.ts';
import type { Downstream } from './downstream.ts';
import { countLatency, countStatus, type EngineState, poolOf } from './engine-state.ts';
import { NodeConnection } from './node-connection.ts';
import type { Parked } from './parking.ts';
import { RequestBody } from './request-body.ts';
import { decideRetry } from './retry.ts';
import { Tunnel } from './tunnel.ts';
import type { UpstreamPool } from './upstream-pool.ts';

/** Up to here, head and body are written as one text; above, copying costs more than a second buffer. */
const ONE_WRITE_BYTES = 16_384;
const NOBODY: ReadonlySet<NodeId> = new Set();
/** What a slip waits for before anything was chosen. */
const NOTHING: object = {};
/** Beyond the time for parking: so much later a request has ended, whatever it waited for, milliseconds. */
const TOTAL_MARGIN_MS = 5_000;
/** A request that was released late still has so long for its answer, milliseconds. */
const MIN_HEAD_MS = 1_000;
/** Attempts of one request, for a node that refuses and answers in turns. */
const MAX_ATTEMPTS = 20;
/** Status in the access log when the client left before its answer was whole. */
const CLIENT_LEFT = 499;

export class Exchange implements Downstream, Parked {
  readonly head: RequestHead;
  readonly slip: RoutingSlip = {
    node: undefined,
    setCookie: '',
    setCookieUnless: '',
    forwardCookie: undefined,
    forwardTarget: undefined,
    rewriteCookies: [],
    rewriteRoute: '',
    watchesCookies: false,
    hasSession: false,
    isBound: false,
    boundNode: undefined,
    retriesLeft: 0,
    waitFor: NOTHING,
    waitKind: 'no-node',
    waitNode: undefined,
    waitMs: 0,
    connectedAtMs: 0,
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
  /** What it waits for, since when, and what it holds there; `undefined` while it does not wait. */
  parkedFor: object | undefined;
  parkedAtMs = 0;
  parkedBytes = 0;
  #parkedKind: WaitKind = 'no-node';
  #parkedMs = 0;
  #parkedNode: UpstreamNode | undefined;
  #hasWaited = false;
  readonly #client: ClientConnection;
  readonly #state: EngineState;
  #connection: NodeConnection | undefined;
  /** The connection that is authenticated as this client, in use or idle; it may have been closed. */
  #bound: NodeConnection | undefined;
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

  get isRequestComplete(): boolean {
    return this.body.isComplete;
  }

  onSetCookie(value: string): void {
    const { slip } = this;
    if (slip.watchesCookies) this.#state.router.onSetCookie(slip, value);
    if (slip.setCookieUnless !== '' && value.startsWith(`${slip.setCookieUnless}=`)) slip.setCookie = '';
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
    this.#hasWaited = false;
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
      case 'failed':
        this.#answer(502);
        return;
      default:
        choice satisfies never;
    }
  }

  /** Waits, bounded in count, octets and time, until the router has news. */
  #park(nowMs: number): void {
    const { parking, totals } = this.#state;
    const { waitFor, waitKind } = this.slip;
    const bytes = this.#heldBytes();
    if (!parking.enter(this, waitFor, bytes)) {
      totals.refusals.parking++;
      this.#act('unavailable', nowMs);
      return;
    }
    this.parkedFor = waitFor;
    this.parkedBytes = bytes;
    this.parkedAtMs = nowMs;
    this.#parkedKind = waitKind;
    this.#parkedMs = this.slip.waitMs;
    this.#hasWaited = true;
    this.#parkedNode = this.slip.waitNode;
    if (this.#parkedNode !== undefined) this.#parkedNode.tally.parked++;
    this.#client.deadlineMs = Math.min(nowMs + this.slip.waitMs, this.#latestMs());
  }

  #unpark(): void {
    this.#state.parking.leave(this);
    this.parkedFor = undefined;
    if (this.#parkedNode !== undefined) this.#parkedNode.tally.parked--;
  }

  /** Octets that it holds while it waits. */
  #heldBytes(): number {
    const { forwarded, target, cookie } = this.head;
    return forwarded.length + target.length + cookie.length + this.body.keptBytes + this.#client.pendingBytes;
  }

  /** More has come from the client while it waits; false when the client has to wait as well. */
  mayHold(bytes: number): boolean {
    if (!this.#state.parking.grow(this, bytes)) return false;
    this.parkedBytes += bytes;
    return true;
  }

  /** When the request has ended whatever it waited for. */
  #latestMs(): number {
    return this.startedMs + this.#state.router.parkMs + TOTAL_MARGIN_MS;
  }

  headTimeoutMs(nowMs: number): number {
    const { upstreamTimeoutMs } = this.#state.limits;
    return this.#hasWaited
      ? Math.max(MIN_HEAD_MS, Math.min(upstreamTimeoutMs, this.#latestMs() - nowMs))
      : upstreamTimeoutMs;
  }

  /** What it waits for has changed, or, when `isOver`, the wait is over. */
  askAgain(isOver: boolean): void {
    const nowMs = this.#state.now();
    const { parkedFor } = this;
    const kind = this.#parkedKind;
    const waitMs = this.#parkedMs;
    const choice = this.#state.router.askAgain(this.head, this.slip, nowMs);
    const { slip } = this;
    const isSame = choice === 'wait' && slip.waitFor === parkedFor && slip.waitKind === kind && slip.waitMs === waitMs;
    if (isSame && !isOver) return;
    this.#unpark();
    if (isSame) this.#act(kind === 'probe' ? 'failed' : 'unavailable', nowMs);
    else this.#act(choice, nowMs);
    this.#client.onUnparked(nowMs);
  }

  get isWaiting(): boolean {
    return this.parkedFor !== undefined;
  }

  // ---- the request on its way to the node

  #attempt(nowMs: number): void {
    const node = this.slip.node!;
    if (this.#attempts++ > 0) this.#state.totals.retries++;
    const pool = poolOf(this.#state, node);
    const { bindsConnection, method } = this.head;
    const connection =
      this.#takeBound(node, pool) ??
      (this.#hasTriedFresh || bindsConnection ? undefined : pool.take(isIdempotent(method), nowMs)) ??
      new NodeConnection(node, pool, this.#state);
    this.#connection = connection;
    if (bindsConnection) this.#bind(connection);
    this.slip.connectedAtMs = connection.openedAtMs;
    connection.begin(this, nowMs);
    this.#sentMs = nowMs;
    if (!this.#isCounted) {
      this.#isCounted = true;
      this.#state.router.onSend(this.slip, nowMs);
    }
    this.#send(connection, this.#headText(node));
  }

  /** The bound connection, when it is one to `node` and still open; one to another node is closed. */
  #takeBound(node: UpstreamNode, pool: UpstreamPool<NodeConnection>): NodeConnection | undefined {
    const bound = this.#bound;
    if (bound === undefined) return undefined;
    if (!this.#hasTriedFresh && bound.node === node && pool.takeBound(bound)) return bound;
    this.closeBound();
    return undefined;
  }

  #bind(connection: NodeConnection): void {
    if (this.#bound === connection) return;
    this.closeBound();
    connection.isBound = true;
    this.#bound = connection;
    this.slip.boundNode = connection.node;
  }

  /** What was authenticated as this client ends. */
  closeBound(): void {
    this.#bound?.destroy();
    this.#unbind();
  }

  #unbind(): void {
    this.#bound = undefined;
    this.slip.boundNode = undefined;
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
    // Until the connection stands nothing has left, and the client is paused after a few octets: all of it can go elsewhere.
    if (!connection.isConnected) this.body.keep(Number.POSITIVE_INFINITY);
    else if (!connection.hasAnswerBytes) this.body.keep(this.#state.limits.maxReplayBytes);
    connection.touch();
    connection.node.tally.bytesToNode += piece.octets.length;
    connection.writer.flush();
    if (connection.socket.destroyed) return;
    connection.hasSentBefore = connection.isConnected;
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

  onConnected(): void {}

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
    if (head.bindsConnection) this.#bind(connection);
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

  #endCount(outcome: AttemptOutcome, nowMs: number, failure?: Failure): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    this.#state.router.onEnd(this.slip, outcome, nowMs, failure);
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

  onNodeFailed(connection: NodeConnection, failure: Failure, atMs: number): void {
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    const nowMs = this.#state.now();
    const { slip, head, body } = this;
    if (failure.party === 'connect')
      this.#state.router.onConnectFailure(connection.node, failure, connection.openedAtMs, nowMs);
    if (this.#hasAnswered) {
      this.#endCount(outcomeOf(failure), atMs, failure);
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
      takesRequests: connection.node.takesRequests,
      isBound: slip.isBound,
      answersChallenge: head.bindsConnection && connection.served > 0,
      retriesLeft: slip.retriesLeft,
    });
    if (this.#attempts >= MAX_ATTEMPTS) decision = 'give-up';
    if (decision === 'by-router' && !slip.isBound && !this.#state.budget.spend()) decision = 'give-up';
    if (decision === 'give-up') {
      this.#endCount(outcomeOf(failure), atMs, failure);
      this.#answer(failure.status);
      return;
    }
    // The client may have been waiting for the node that is gone now.
    this.#client.resume();
    if (decision === 'same-node') {
      this.#hasTriedFresh = true;
      this.#attempt(nowMs);
      return;
    }
    this.#endCount(outcomeOf(failure), atMs, failure);
    this.#hasTriedFresh = false;
    this.#act(this.#state.router.chooseAgain(head, slip, failure, nowMs), nowMs);
  }

  /** The node is lost for its sessions: what was sent and not answered asks again when it may be repeated, an answer in progress is cut. */
  onNodeLost(nowMs: number): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    if (this.#hasAnswered) {
      this.#dropConnection('failed', FAILURE.cut);
      this.#cut(nowMs);
      return;
    }
    if (!isIdempotent(this.head.method) || !this.body.canReplay || connection.hasAnswerBytes) return;
    this.#dropConnection('failed', FAILURE.headTimeout);
    this.#hasTriedFresh = false;
    this.#client.resume();
    this.#act(this.#state.router.askAgain(this.head, this.slip, nowMs), nowMs);
  }

  /** The node of the attempt under way. */
  get attemptedNode(): UpstreamNode | undefined {
    return this.#connection?.node;
  }

  /** RFC 9112 §8: the client must see that its answer is not whole. */
  #cut(nowMs: number): void {
    countStatus(this.#state.totals.statusClasses, this.#status);
    this.#leave(this.#status, nowMs);
    this.#client.cut(this.#isCloseDelimited);
  }

  /** The client is gone: nobody waits for the answer. */
  abort(): void {
    this.closeBound();
    if (!this.isActive) return;
    if (this.isWaiting) this.#unpark();
    this.#state.totals.clientAborts++;
    this.#dropConnection('client');
    this.#leave(CLIENT_LEFT, this.#state.now());
  }

  #dropConnection(outcome: AttemptOutcome, failure?: Failure): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.destroy();
    this.#endCount(outcome, this.#state.now(), failure);
  }

  /** Answers in the node's place. */
  #answer(status: number): void {
    this.head.keepsAlive = this.head.keepsAlive && this.body.isComplete && status !== 400 && !this.#state.isClosing;
    this.#client.answer(status, this.requestId, this.slip);
    this.#close(status, this.#state.now());
  }

  // ---- upgrades

  /** The node switches protocols: right only when the client asked for what the node names (RFC 9110 §15.2.2). */
  onSwitch(connection: NodeConnection, early: Buffer): void {
    const { head } = connection;
    if (!this.head.wantsUpgrade || head.upgrade.toLowerCase() !== 'websocket') {
      connection.destroy();
      this.onNodeFailed(connection, FAILURE.broken, this.#state.now());
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
    if (this.#bound === connection) this.#unbind();
    const tunnel = new Tunnel(this.#client, connection, this.#state);
    connection.becomeTunnel(tunnel);
    this.#client.becomeTunnel(tunnel);
    if (early.length > 0) tunnel.toClient(early);
  }
}

/** What an attempt that ended in `failure` says of the node. */
function outcomeOf(failure: Failure): AttemptOutcome {
  return countsAgainstNode(failure) ? 'failed' : 'client';
}
