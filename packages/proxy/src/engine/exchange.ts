/**
 * The life of one request, top to bottom. `begin` asks the router, `#attempt` sends the request to a node, `onHead` and `writeBody`
 * forward the answer, `onBodyEnd` ends it. `onNodeFailed` decides whether there is another attempt.
 *
 * One object per client connection, reused for each of its requests. A successful request allocates no promise, no closure and no timer.
 */

import { type AttemptOutcome, DEFAULT_PARAMETERS, type RequestLimits } from '@rollcall/core';
import type { RetryReason } from '@rollcall/feed';
import type { RequestFacts } from '../ajp/forward-request.ts';
import { LAST_CHUNK } from '../http1/chunked.ts';
import { dateField } from '../http1/date-field.ts';
import { fieldValue } from '../http1/field-rules.ts';
import { interimHeadText, requestHeadText, responseHeadText, switchHeadText } from '../http1/head-writer.ts';
import { withoutPrefix } from '../http1/path-prefix.ts';
import { isIdempotent, type RequestHead } from '../http1/request-head.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import type { AccessEntry } from './access-entry.ts';
import type { Block } from './body-blocks.ts';
import { type Counters, countLatency, countStatus, type LiveBalancerCounters } from './counters.ts';
import type { Client, Downstream, SwitchingUpstream, Upstream } from './ends.ts';
import { countsAgainstNode, FAILURE, type Failure } from './failure.ts';
import { failureLimit } from './failure-limit.ts';
import type { FailureLog } from './failure-log.ts';
import type { FailedAttempt, FinishedRequest, RequestRecorder } from './finished-request.ts';
import { openUpstream, type UpstreamServices } from './open-upstream.ts';
import type { Parked, Parking } from './parking.ts';
import { RequestBody } from './request-body.ts';
import type { RequestIds } from './request-ids.ts';
import { decideRetry, type RetryBudget, retryReason } from './retry.ts';
import {
  type Choice,
  newRoutingDecision,
  type Router,
  type RoutingDecision,
  type UpstreamNode,
  type WaitKind,
} from './router.ts';
import { type TraceContext, traceparentOf } from './trace-context.ts';
import { Tunnel, type TunnelServices } from './tunnel.ts';
import type { UpstreamPool } from './upstream-pool.ts';
import type { UpstreamPools } from './upstream-pools.ts';

/** Up to this size, head and body are written as one text; above, copying costs more than a second buffer. */
const ONE_WRITE_BYTES = 16_384;
/** A request ends at the latest this long after the time for parking, milliseconds. */
const TOTAL_MARGIN_MS = 5_000;
/** Minimum time for the response head of a request that was released late, milliseconds. */
const MIN_HEAD_MS = 1_000;
/** Attempts of one request, for a node that refuses and answers in turn. */
const MAX_ATTEMPTS = 20;
/** Status in the access log if the client left before its answer was complete. */
const CLIENT_LEFT = 499;
/** The end of an attempt whose node was lost. */
const NODE_LOST = 'the node was lost';

/** Services of the engine that an exchange uses, and passes to its node connections and tunnels. */
export interface ExchangeServices extends UpstreamServices, TunnelServices {
  readonly router: Router;
  readonly budget: Pick<RetryBudget, 'earn' | 'spend'>;
  /** Requests that wait for a node. */
  readonly parking: Pick<Parking<Exchange>, 'enter' | 'grow' | 'leave'>;
  readonly pools: Pick<UpstreamPools<Upstream>, 'of'>;
  readonly requestIds: RequestIds;
  /** Makes `traceparent` for requests without one; `undefined`: none is made. */
  readonly traces: TraceContext | undefined;
  readonly failures: FailureLog;
  readonly counters: Counters;
  readonly onAccess: ((entry: AccessEntry) => void) | undefined;
  readonly recorder: RequestRecorder | undefined;
  /** Answers announce that they are the last on their connection. */
  readonly isClosing: boolean;
}

export class Exchange implements Downstream, Parked, FinishedRequest {
  readonly head: RequestHead;
  readonly decision: RoutingDecision = newRoutingDecision();
  readonly body: RequestBody;
  requestId = '';
  #traceparent = '';
  /** The client does not read what the node sends; silence does not count against the node. */
  isClientSlow = false;
  /** False between requests. */
  isActive = false;
  startedMs = 0;
  /** The object that it waits for, since when, and the octets that it holds; `undefined` while it does not wait. */
  parkedFor: object | undefined;
  parkedAtMs = 0;
  parkedBytes = 0;
  waitedMs = 0;
  failedAttempts: FailedAttempt[] | undefined;
  #parkedKind: WaitKind = 'no-node';
  #parkedMs = 0;
  #parkedNode: UpstreamNode | undefined;
  #hasWaited = false;
  readonly #client: Client;
  readonly #services: ExchangeServices;
  #connection: Upstream | undefined;
  /** The connection that is authenticated as this client, in use or idle; it may have closed. */
  #bound: Upstream | undefined;
  #sentMs = 0;
  upstreamMs = -1;
  attempts = 0;
  /** Counters of its balancer, once that is known. */
  #balancer: LiveBalancerCounters | undefined;
  /** Why the next attempt is a retry. */
  #retryReason: RetryReason = 'closed';
  /** `onSend` was called and `onEnd` not yet. */
  #isCounted = false;
  #hasTriedFresh = false;
  #hasAnswered = false;
  #sawInterim = false;
  #isChunkedOut = false;
  /** The answer ends with the connection: only a reset can show that it is incomplete. */
  #isCloseDelimited = false;
  #status = 0;
  #bytesOutBefore = 0;

  constructor(client: Client, head: RequestHead, services: ExchangeServices) {
    this.#client = client;
    this.head = head;
    this.#services = services;
    this.body = new RequestBody(services.limits, services.blocks);
  }

  // ---- parts of the response head

  get method(): string {
    return this.head.method;
  }

  get target(): string {
    return this.head.target;
  }

  get prefix(): string {
    return this.decision.prefix;
  }

  prefixAt(authority: string): string | undefined {
    return this.#services.router.prefixAt(this.decision, authority);
  }

  get publicOrigin(): string {
    const authority = this.#client.identity.publicAuthority();
    return authority === '' ? '' : `${this.head.isSecure ? 'https' : 'http'}://${authority}`;
  }

  get rewriteCookies(): readonly string[] {
    return this.decision.rewriteCookies;
  }

  get rewriteRoute(): string {
    return this.decision.rewriteRoute;
  }

  get isRequestComplete(): boolean {
    return this.body.isComplete;
  }

  onSetCookie(value: string): void {
    const { decision } = this;
    if (decision.watchesCookies) this.#services.router.onSetCookie(decision, value);
    if (decision.setCookieUnless !== '' && value.startsWith(`${decision.setCookieUnless}=`)) decision.setCookie = '';
  }

  // ---- the choice

  /**
   * A head has been read; `octets[start…]` came with it. Returns where the request ended, or `start` if the request waits for a node: its
   * body is then still to be read.
   */
  begin(octets: Buffer, start: number, nowMs: number): number {
    const { counters, router, budget } = this.#services;
    const { head } = this;
    counters.requests++;
    counters.inFlight++;
    budget.earn();
    this.isActive = true;
    this.decision.limits = this.#services.limits;
    this.startedMs = nowMs;
    this.upstreamMs = -1;
    this.attempts = 0;
    this.#balancer = undefined;
    this.#hasTriedFresh = false;
    this.#hasWaited = false;
    this.waitedMs = 0;
    this.failedAttempts = undefined;
    this.#hasAnswered = false;
    this.#sawInterim = false;
    this.#isCloseDelimited = false;
    this.#bytesOutBefore = this.#client.output.bytesOut;
    this.body.begin(head.bodyLength);
    this.requestId = this.#services.requestIds.of(head);
    if (this.#services.traces !== undefined) this.#traceparent = this.#services.traces.begin(head);
    const choice = router.choose(head, this.decision, nowMs);
    const end = this.body.isComplete || choice === 'wait' ? start : this.readBody(octets, start);
    if (this.isActive) this.#act(choice, nowMs);
    return end;
  }

  #act(choice: Choice, nowMs: number): void {
    if (this.#balancer === undefined) this.#countRequest();
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
        this.#services.counters.unavailable++;
        if (this.#balancer !== undefined) this.#balancer.unavailable++;
        this.#answer(503);
        return;
      case 'failed':
        this.#answer(502);
        return;
      default:
        choice satisfies never;
    }
  }

  /** Counts the request for the balancer of its first decision. */
  #countRequest(): void {
    this.#balancer = this.decision.balancerCounters;
    if (this.#balancer !== undefined) this.#balancer.requests++;
  }

  /** Waits, limited in count, octets and time, until the router reports a change. */
  #park(nowMs: number): void {
    const { parking, counters } = this.#services;
    const { waitFor, waitKind } = this.decision;
    const bytes = this.#heldBytes();
    if (!parking.enter(this, waitFor, bytes)) {
      counters.refusals.parking++;
      this.#act('unavailable', nowMs);
      return;
    }
    this.parkedFor = waitFor;
    this.parkedBytes = bytes;
    this.parkedAtMs = nowMs;
    this.#parkedKind = waitKind;
    this.#parkedMs = this.decision.waitMs;
    this.#hasWaited = true;
    this.#parkedNode = this.decision.waitNode;
    if (this.#parkedNode !== undefined) this.#parkedNode.counters.parked++;
    this.#client.onParked(Math.min(nowMs + this.decision.waitMs, this.#latestMs()));
  }

  #unpark(): void {
    this.#services.parking.leave(this);
    this.waitedMs += this.#services.now() - this.parkedAtMs;
    this.parkedFor = undefined;
    if (this.#parkedNode !== undefined) this.#parkedNode.counters.parked--;
  }

  /** Octets that it holds while it waits. */
  #heldBytes(): number {
    const { forwarded, target, cookie } = this.head;
    return forwarded.length + target.length + cookie.length + this.body.keptBytes + this.#client.pendingBytes;
  }

  /** More octets have arrived while it waits; false if the client has to be paused. */
  mayHold(bytes: number): boolean {
    if (!this.#services.parking.grow(this, bytes)) return false;
    this.parkedBytes += bytes;
    return true;
  }

  get limits(): RequestLimits {
    return this.decision.limits;
  }

  /** Latest end of the request, whatever it waits for. */
  #latestMs(): number {
    return this.startedMs + this.#services.router.parkMs(this.limits) + TOTAL_MARGIN_MS;
  }

  headTimeoutMs(nowMs: number): number {
    const { upstreamTimeoutMs } = this.decision.limits;
    return this.#hasWaited && upstreamTimeoutMs !== Number.POSITIVE_INFINITY
      ? Math.max(MIN_HEAD_MS, Math.min(upstreamTimeoutMs, this.#latestMs() - nowMs))
      : upstreamTimeoutMs;
  }

  /** The object that it waits for has changed, or, if `isOver`, the wait is over. */
  askAgain(isOver: boolean): void {
    const nowMs = this.#services.now();
    const { parkedFor } = this;
    const kind = this.#parkedKind;
    const waitMs = this.#parkedMs;
    const choice = this.#services.router.askAgain(this.head, this.decision, nowMs);
    const { decision } = this;
    const isSame =
      choice === 'wait' && decision.waitFor === parkedFor && decision.waitKind === kind && decision.waitMs === waitMs;
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
    const node = this.decision.node!;
    if (this.head.wantsUpgrade && node.isAjp) {
      this.#refuseUpgrade(nowMs);
      return;
    }
    if (this.attempts++ > 0) this.#countRetry();
    const pool = this.#services.pools.of(node);
    const { bindsConnection, method } = this.head;
    const connection =
      this.#takeBound(node, pool) ??
      (this.#hasTriedFresh || bindsConnection ? undefined : pool.take(isIdempotent(method) || node.isAjp, nowMs)) ??
      openUpstream(node, pool, this.#services);
    this.#connection = connection;
    if (bindsConnection) this.#bind(connection);
    this.decision.connectedAtMs = connection.openedAtMs;
    connection.begin(this, nowMs);
    this.#sentMs = nowMs;
    if (!this.#isCounted) {
      this.#isCounted = true;
      this.#services.router.onSend(this.decision, nowMs);
    }
    const hasRoom = connection.send(this.#headText(node), this.body);
    if (!hasRoom && !this.body.isComplete) this.#client.pause();
  }

  #countRetry(): void {
    this.#services.counters.retries++;
    if (this.#balancer !== undefined) this.#balancer.retries[this.#retryReason]++;
  }

  /** AJP cannot switch protocols. The session is at this node, so no other node is asked. */
  #refuseUpgrade(nowMs: number): void {
    if (!this.#isCounted) this.#services.router.onSend(this.decision, nowMs);
    this.#isCounted = true;
    this.#endCount('client', nowMs, FAILURE.noUpgrade);
    this.#answer(FAILURE.noUpgrade.status);
  }

  /** The bound connection, if it is one to `node` and still open; a connection to another node is closed. */
  #takeBound(node: UpstreamNode, pool: UpstreamPool<Upstream>): Upstream | undefined {
    const bound = this.#bound;
    if (bound === undefined) return undefined;
    if (!this.#hasTriedFresh && bound.node === node && pool.takeBound(bound)) return bound;
    this.closeBound();
    return undefined;
  }

  #bind(connection: Upstream): void {
    if (this.#bound === connection) return;
    this.closeBound();
    connection.isBound = true;
    this.#bound = connection;
    this.decision.boundNode = connection.node;
  }

  /** Closes the connection that is authenticated as this client. */
  closeBound(): void {
    this.#bound?.destroy();
    this.#unbind();
  }

  #unbind(): void {
    this.#bound = undefined;
    this.decision.boundNode = undefined;
  }

  #headText(node: UpstreamNode): string {
    const { head, decision } = this;
    const { prefix } = decision;
    const authority = head.authority === '' ? node.authority : head.authority;
    const target = decision.forwardTarget ?? head.target;
    return requestHeadText(head, {
      target: prefix === '' ? target : withoutPrefix(target, prefix),
      fields: this.#client.identity.requestFields(authority, prefix),
      cookie: decision.forwardCookie ?? head.cookie,
      requestId: this.requestId,
      traceparent: this.#traceparent,
    });
  }

  /** More of the body. Returns where the request ended; the octets behind it are the next request. */
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
      // Not sent yet: the attempt will send it.
      this.body.keep(Number.POSITIVE_INFINITY);
      return;
    }
    // Before the connect nothing has left, and the client is paused after a few octets: all of it can go to another node.
    if (!connection.isConnected) this.body.keep(Number.POSITIVE_INFINITY);
    else if (!connection.hasAnswerBytes) this.body.keep(this.#services.limits.maxReplayBytes);
    if (!connection.sendBody(piece) && !this.body.isComplete) this.#client.pause();
  }

  /** The framing of the body is invalid: the node must not see an end of it, the client gets 400 and is closed. */
  #refuseBody(): void {
    this.#services.counters.refusals['bad-body']++;
    this.#dropConnection('client');
    if (this.#hasAnswered) this.#client.destroy();
    else this.#answer(400);
  }

  /** The client has sent its body too slowly. */
  onBodyTimeout(): void {
    this.#services.counters.refusals['body-timeout']++;
    this.#dropConnection('client');
    if (this.#hasAnswered) this.#client.destroy();
    else this.#answer(408);
  }

  facts(): RequestFacts {
    const { head } = this;
    return {
      remoteAddress: this.#client.identity.clientAddress(),
      isSecure: head.isSecure,
      tls: this.#client.tlsFacts,
      bodyLength: head.bodyLength,
      expectsContinue: head.expectsContinue,
    };
  }

  /** True while the rest of the request body is expected from the client. */
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

  /** An interim response: 100 to clients that expect it, others (103) to all clients of HTTP/1.1. */
  onInterim(head: ResponseHead): void {
    this.#sawInterim = true;
    if (this.head.isHttp10 || (head.status === 100 && !this.head.expectsContinue)) return;
    this.#client.output.write(interimHeadText(head));
    if (head.status === 100) this.#client.onContinue();
  }

  /** A final head: reports it to the router and returns the client's head. */
  onHead(connection: Upstream, head: ResponseHead, nowMs: number): string {
    const { decision, head: request } = this;
    const { status, framing } = head;
    this.#hasAnswered = true;
    this.#status = status;
    if (head.bindsConnection) this.#bind(connection);
    if (this.body.keptBytes > 0) this.body.forget();
    const latencyMs = nowMs - this.#sentMs;
    this.upstreamMs = latencyMs;
    const loadField = connection.node.readsLoadField ? head.load : '';
    this.#services.router.onResponseHead(decision, status, latencyMs, loadField, nowMs);
    const { counters } = connection.node;
    countLatency(counters, latencyMs);
    countStatus(counters.answers.statusClasses, status);
    const hasOpenEnd = framing === 'chunked' || framing === 'close';
    this.#isChunkedOut = hasOpenEnd && !request.isHttp10;
    this.#isCloseDelimited = hasOpenEnd && request.isHttp10;
    // RFC 9112 §9.3: after an answer to an incomplete request the connection cannot be used again.
    if (!this.body.isComplete || this.#isCloseDelimited || this.#services.isClosing) request.keepsAlive = false;
    return responseHeadText(head, {
      setCookie: decision.setCookie,
      removeCookie: decision.removeCookie,
      isChunked: this.#isChunkedOut,
      keepsAlive: request.keepsAlive,
      isHttp10: request.isHttp10,
      date: head.hasDate ? '' : dateField(),
    });
  }

  /**
   * Writes `octets[start, end)` of the body, with `headText` before it in the same write; `isLast` ends the body. Octets that are not
   * written as text are copied: they are only valid until this returns.
   */
  writeBody(headText: string, octets: Buffer, start: number, end: number, isLast: boolean): void {
    const length = end - start;
    const isChunk = this.#isChunkedOut && length > 0;
    const before = isChunk ? `${headText}${length.toString(16)}\r\n` : headText;
    let after = isChunk ? '\r\n' : '';
    if (isLast && this.#isChunkedOut) after += LAST_CHUNK;
    let hasRoom = true;
    if (length === 0) {
      if (before !== '' || after !== '') hasRoom = this.#client.output.write(before + after);
    } else if (length <= ONE_WRITE_BYTES && (before !== '' || after !== ''))
      hasRoom = this.#client.output.write(before + octets.toString('latin1', start, end) + after);
    else hasRoom = this.#client.output.writeOctets(before, octets, start, end, after);
    if (hasRoom || this.isClientSlow) return;
    this.isClientSlow = true;
    this.#connection?.socket.pause();
    this.#client.onSlow();
  }

  /** The client reads again. */
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
    this.#countAnswer(status);
    this.#leave(status, nowMs);
    this.#client.onExchangeEnd(this.head.keepsAlive && this.body.isComplete, nowMs);
  }

  #countAnswer(status: number): void {
    countStatus(this.#services.counters.statusClasses, status);
    if (this.#balancer !== undefined) countStatus(this.#balancer.answers.statusClasses, status);
  }

  /** The exchange is over, with any result. */
  #leave(status: number, nowMs: number): void {
    this.isActive = false;
    this.isClientSlow = false;
    this.#services.counters.inFlight--;
    if (this.body.keptBytes > 0) this.body.forget();
    this.#services.recorder?.finished(this, status, nowMs);
    if (this.#services.onAccess !== undefined) this.#reportAccess(status, nowMs);
  }

  #endCount(outcome: AttemptOutcome, nowMs: number, failure?: Failure): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    this.#services.router.onEnd(this.decision, outcome, nowMs, failure);
  }

  #reportAccess(status: number, nowMs: number): void {
    const { head, decision } = this;
    this.#services.onAccess?.({
      client: this.#client.identity.clientAddress(),
      method: head.method,
      host: head.host,
      target: head.target,
      userAgent: fieldValue(head.forwarded, 'user-agent'),
      referer: fieldValue(head.forwarded, 'referer'),
      isHttp10: head.isHttp10,
      status,
      bytesOut: this.#client.output.bytesOut - this.#bytesOutBefore,
      requestId: this.requestId,
      traceparent: this.#traceparent || traceparentOf(head.forwarded),
      balancer: decision.balancer,
      sessionParameters: this.#services.router.sessionParameters?.(decision) ?? DEFAULT_PARAMETERS,
      stickyResult: decision.stickyResult,
      node: decision.node?.id,
      route: decision.node?.route,
      attempts: this.attempts,
      upstreamMs: this.upstreamMs,
      totalMs: nowMs - this.startedMs,
    });
  }

  // ---- failures

  onNodeFailed(connection: Upstream, failure: Failure, atMs: number): void {
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    const nowMs = this.#services.now();
    const { decision, head, body } = this;
    if (failure.party === 'connect')
      this.#services.router.onConnectFailure(connection.node, failure.kind, connection.openedAtMs, nowMs);
    this.#noteFailed(connection.node, failure.how, nowMs);
    if (this.#hasAnswered) {
      this.#endCount(outcomeOf(failure), atMs, failure.kind);
      this.#logFailure(connection, failure, 0, nowMs);
      this.#cut(nowMs);
      return;
    }
    let retry = decideRetry({
      failure,
      wasReused: connection.served > 0,
      isIdempotent: isIdempotent(head.method),
      canReplay: body.canReplay,
      hasTriedFresh: this.#hasTriedFresh,
      takesRequests: connection.node.takesRequests,
      isBound: decision.isBound,
      answersChallenge: head.bindsConnection && connection.served > 0,
      retriesLeft: decision.retriesLeft,
    });
    if (this.attempts >= MAX_ATTEMPTS) retry = 'give-up';
    if (retry === 'by-router' && !decision.isBound && !this.#services.budget.spend()) retry = 'give-up';
    if (retry === 'give-up') {
      this.#endCount(outcomeOf(failure), atMs, failure.kind);
      this.#logFailure(connection, failure, failure.status, nowMs);
      this.#answer(failure.status, this.#limitOf(failure));
      return;
    }
    this.#retryReason = retryReason(failure.kind);
    // The client may have been paused for the failed node.
    this.#client.resume();
    if (retry === 'same-node') {
      this.#hasTriedFresh = true;
      this.#attempt(nowMs);
      return;
    }
    this.#endCount(outcomeOf(failure), atMs, failure.kind);
    this.#hasTriedFresh = false;
    const choice = this.#services.router.chooseAgain(head, decision, failure.kind, nowMs);
    if (choice === 'failed') this.#logFailure(connection, failure, 502, nowMs);
    this.#act(choice, nowMs);
  }

  #noteFailed({ id }: UpstreamNode, how: string, nowMs: number): void {
    this.failedAttempts ??= [];
    this.failedAttempts.push({ node: id, how, afterMs: Math.max(0, nowMs - this.#sentMs) });
  }

  #logFailure({ node }: Upstream, failure: Failure, status: number, nowMs: number): void {
    const { requestId } = this;
    const limit = this.#limitOf(failure);
    this.#services.failures.note({ node, failure, limit, attempts: this.attempts, requestId, status }, nowMs);
  }

  #limitOf(failure: Failure): string | undefined {
    const { limits, router } = this.#services;
    return failureLimit(
      failure,
      { request: this.limits, proxy: limits },
      (key) => router.limitPath?.(this.decision, key) ?? '',
    );
  }

  /** The node is lost for its sessions: an unanswered request that may be repeated is routed again, an answer in progress is cut. */
  onNodeLost(nowMs: number): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    if (this.#hasAnswered) {
      this.#noteFailed(connection.node, NODE_LOST, nowMs);
      this.#dropConnection('failed', FAILURE.cut);
      this.#cut(nowMs);
      return;
    }
    if (!isIdempotent(this.head.method) || !this.body.canReplay || connection.hasAnswerBytes) {
      if (this.limits.upstreamTimeoutMs === Number.POSITIVE_INFINITY) {
        this.#noteFailed(connection.node, NODE_LOST, nowMs);
        this.#giveUp();
      }
      return;
    }
    this.#noteFailed(connection.node, NODE_LOST, nowMs);
    this.#dropConnection('failed', FAILURE.headTimeout);
    this.#retryReason = 'lost';
    this.#hasTriedFresh = false;
    this.#client.resume();
    const choice = this.#services.router.askAgain(this.head, this.decision, nowMs);
    if (choice === 'failed') this.#logFailure(connection, FAILURE.closed, 502, nowMs);
    this.#act(choice, nowMs);
  }

  /** Ends a request without a time limit that a lost node has and that may not be repeated: it would wait without end. */
  #giveUp(): void {
    this.#dropConnection('failed', FAILURE.headTimeout);
    this.#answer(504);
  }

  /** The node of the attempt in progress. */
  get attemptedNode(): UpstreamNode | undefined {
    return this.#connection?.node;
  }

  /** RFC 9112 §8: the client must see that its answer is incomplete. */
  #cut(nowMs: number): void {
    this.#countAnswer(this.#status);
    this.#leave(this.#status, nowMs);
    this.#client.cut(this.#isCloseDelimited);
  }

  /** The client is gone: the answer has no receiver. */
  abort(): void {
    this.closeBound();
    if (!this.isActive) return;
    if (this.isWaiting) this.#unpark();
    this.#services.counters.clientAborts++;
    this.#dropConnection('client');
    this.#leave(CLIENT_LEFT, this.#services.now());
  }

  #dropConnection(outcome: AttemptOutcome, failure?: Failure): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.destroy();
    this.#endCount(outcome, this.#services.now(), failure);
  }

  /** Answers instead of the node. */
  #answer(status: number, limit?: string): void {
    this.head.keepsAlive = this.head.keepsAlive && this.body.isComplete && status !== 400 && !this.#services.isClosing;
    this.#client.answer(status, this.requestId, limit);
    this.#close(status, this.#services.now());
  }

  // ---- upgrades

  /** The node switches protocols: valid only if the client asked for the protocol that the node names (RFC 9110 §15.2.2). */
  onSwitch(connection: SwitchingUpstream, early: Buffer): void {
    const { head } = connection;
    if (!this.head.wantsUpgrade || head.upgrade.toLowerCase() !== 'websocket') {
      connection.destroy();
      this.onNodeFailed(connection, FAILURE.broken, this.#services.now());
      return;
    }
    const nowMs = this.#services.now();
    this.upstreamMs = nowMs - this.#sentMs;
    const { router } = this.#services;
    router.onResponseHead(this.decision, 101, this.upstreamMs, '', nowMs);
    const session = router.holdSession?.(this.decision, nowMs);
    this.#endCount('ok', nowMs);
    this.#connection = undefined;
    this.#countAnswer(101);
    countStatus(connection.node.counters.answers.statusClasses, 101);
    this.#client.output.write(switchHeadText(head, this.decision));
    this.#leave(101, nowMs);
    if (this.#bound === connection) this.#unbind();
    const tunnel = new Tunnel(this.#client, connection, { idleMs: this.limits.tunnelIdleMs, session }, this.#services);
    connection.becomeTunnel(tunnel);
    this.#client.becomeTunnel(tunnel);
    if (early.length > 0) tunnel.toClient(early);
  }
}

/** The outcome for the node of an attempt that ended in `failure`. */
function outcomeOf(failure: Failure): AttemptOutcome {
  return countsAgainstNode(failure) ? 'failed' : 'client';
}
