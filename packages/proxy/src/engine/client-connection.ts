/**
 * One connection of a client: reads heads, one request at a time, and keeps what comes behind a request until its
 * answer is complete. Owns its socket, its deadline and the one `Exchange` that serves its requests in turn.
 */
import type net from 'node:net';
import type tls from 'node:tls';
import type { Refusal } from '@rollcall/protocol';
import { dateField } from '../http1/date-field.ts';
import { connectionField, flat, requestFields, viaField } from '../http1/head-writer.ts';
import { PartialHead } from '../http1/partial-head.ts';
import { RequestHead } from '../http1/request-head.ts';
import { OWN_PREFIX, type OwnAnswer, type RoutingSlip } from '../routing.ts';
import { ownEntry } from './access-entry.ts';
import { type ClientPeer, clientAddress, isSecureClient, strangerFields, trustedFields } from './client-identity.ts';
import type { Deadlined } from './deadline-sweep.ts';
import { countStatus, type EngineState } from './engine-state.ts';
import { errorAnswer } from './error-page.ts';
import { Exchange } from './exchange.ts';
import { type AcceptedHandle, rewrapped, socketAround } from './shared-read.ts';
import { TextWriter } from './text-writer.ts';
import type { Tunnel } from './tunnel.ts';

const NOTHING: Buffer = Buffer.alloc(0);
/**
 * After its last answer a client has this long before the connection is cut, milliseconds, and as long again while it
 * sends: a close with octets unread is a reset, which takes the answer from a client that reads it after its upload
 * (RFC 9112 §9.6).
 */
const LINGER_MS = 2_000;
/**
 * A client that has closed its side may still read. When nothing could be written to it for this long it is taken to be
 * gone, and the node is told by closing, milliseconds.
 */
const HALF_CLOSED_MS = 700;
const DOT = 0x2e;
const CR = 0x0d;
const LF = 0x0a;

export class ClientConnection implements Deadlined {
  readonly socket: net.Socket;
  readonly peer: ClientPeer;
  readonly exchange: Exchange;
  deadlineMs: number;
  /** Octets written to it. */
  bytesOut = 0;
  readonly #head = new RequestHead();
  readonly #state: EngineState;
  readonly #writer: TextWriter;
  /** The authority of the last request, and the fields that tell a node of it. */
  #identityFor = '';
  #identity = '';
  /** What the fields of the last request were made of, and they themselves once they have come twice. */
  #fieldsFor = '';
  #fieldsIdentity = '';
  #fieldsAuthority = '';
  #fields = '';
  readonly #partial = new PartialHead();
  /** Read but not yet looked at: what came behind the present request, or its body while it waits for a node. */
  #pending: Buffer = NOTHING;
  /** The next request is about to be read from `#pending`. */
  #isResuming = false;
  #tunnel: Tunnel | undefined;
  /** No more requests are read; what comes is thrown away. */
  #isEnding = false;
  #isOver = false;
  #hasEnded = false;
  #bytesOutSeen = 0;
  #lingerEndMs = 0;
  /** Octets that came, unwanted, since the last look. */
  #lingerBytes = 0;
  /** Requests begun on it. */
  #requests = 0;

  /** `accepted` is taken over: where that is possible its handle goes on under a socket that reads into the shared buffer. `address` is the client's. */
  constructor(accepted: net.Socket | tls.TLSSocket | AcceptedHandle, address: string, state: EngineState) {
    this.#state = state;
    const { readBuffer } = state;
    const onRead = (bytes: number): void => this.#onData(readBuffer.view(bytes));
    let shared: net.Socket | undefined;
    if (!('remoteAddress' in accepted)) shared = socketAround(accepted, readBuffer.octets, onRead, state.reads);
    else if (state.canRewrap && !('encrypted' in accepted))
      shared = rewrapped(accepted, readBuffer.octets, onRead, state.reads);
    const socket = shared ?? (accepted as net.Socket);
    this.socket = socket;
    this.#writer = new TextWriter(socket, shared && state.direct, () => this.#onDrained(), state.outbox);
    this.peer = {
      address,
      scheme: 'encrypted' in accepted ? 'https' : 'http',
      isTrusted: state.isTrusted(address),
    };
    this.#head.isSecure = this.peer.scheme === 'https';
    this.exchange = new Exchange(this, this.#head, state);
    this.deadlineMs = state.now() + state.limits.headerTimeoutMs;
    state.clients.add(this);
    state.strangers.add(this);
    state.sweep.add(this);
    state.totals.connections++;
    state.totals.accepted++;
    socket.setNoDelay(true);
    if (shared === undefined) socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => this.#onDrained());
    socket.on('end', () => this.#onEnd());
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.#onClosed());
  }

  // ---- reading

  #onData(chunk: Buffer): void {
    this.#state.totals.bytesIn += chunk.length;
    if (this.#tunnel) this.#tunnel.toNode(chunk);
    else if (this.#isEnding) this.#lingerBytes += chunk.length;
    else if (this.#isResuming) this.#keep(chunk);
    else if (!this.exchange.isActive) this.#readRequests(this.#partial.join(chunk));
    else if (this.exchange.body.isComplete || this.exchange.isWaiting) this.#keep(chunk);
    else this.#onBody(chunk);
  }

  #onBody(chunk: Buffer): void {
    const end = this.exchange.readBody(chunk, 0);
    if (this.#isEnding || this.#isOver) return;
    this.#earnBodyTime(end);
    if (end < chunk.length) this.#keep(chunk.subarray(end));
  }

  /** Requests behind the present one wait here; one head's worth, then the client waits too. */
  #keep(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    const mayHold = !this.exchange.isWaiting || this.exchange.mayHold(chunk.length);
    if (!mayHold || this.#pending.length > this.#state.limits.maxFieldBytes) this.pause();
  }

  /** Octets that were read and not looked at. */
  get pendingBytes(): number {
    return this.#pending.length;
  }

  /** Reads requests until one has to be waited for. `octets` begins where a request does. */
  #readRequests(octets: Buffer): void {
    const { limits } = this.#state;
    while (octets.length > 0) {
      // RFC 9112 §2.2: empty lines before a request line are skipped.
      let start = 0;
      while (octets[start] === CR && octets[start + 1] === LF) start += 2;
      const end = this.#partial.endIn(octets, start);
      const nowMs = this.#state.now();
      if (end < 0) {
        this.#awaitHead(start === 0 ? octets : octets.subarray(start), nowMs);
        return;
      }
      this.#partial.clear();
      if (end - start > limits.maxFieldBytes + limits.maxLineBytes) {
        this.#refuse(isLineTooLong(octets.subarray(start, end), limits.maxLineBytes) ? 414 : 431, 'too-large');
        return;
      }
      const refusal = this.#head.read(octets, start, end, limits);
      if (refusal) {
        this.#state.log?.debug({ client: this.peer.address, why: refusal.why }, 'request refused');
        this.#refuse(refusal.status, refusalOf(refusal.status), isHead(octets, start));
        return;
      }
      const next = this.#begin(octets, end + 4, nowMs);
      if (this.#isOver || this.#isEnding || this.#tunnel) return;
      octets = next < octets.length ? octets.subarray(next) : NOTHING;
      if (this.exchange.isActive) {
        if (octets.length > 0) this.#keep(octets);
        return;
      }
    }
  }

  /** An incomplete head: bounded in size and time, and refused at once when it can no longer become a good one. */
  #awaitHead(octets: Buffer, nowMs: number): void {
    const { limits } = this.#state;
    if (octets.length === 0) {
      this.#partial.clear();
      return;
    }
    if (octets.length > limits.maxFieldBytes + limits.maxLineBytes) {
      this.#refuse(isLineTooLong(octets, limits.maxLineBytes) ? 414 : 431, 'too-large');
      return;
    }
    const isFirst = this.#partial.length === 0;
    this.#partial.hold(octets);
    if (octets.length > limits.maxLineBytes && !this.#partial.hasLine()) this.#refuse(414, 'too-large');
    // RFC 9112 §2.2 lets us refuse bare line ends, which others read in two ways.
    else if (this.#partial.hasBareLineEnd() || !mayBeginRequest(octets)) this.#refuse(400, 'bad-request');
    else if (this.#refusesLine(octets)) return;
    else if (isFirst) this.deadlineMs = Math.min(this.deadlineMs, nowMs + limits.headerTimeoutMs);
  }

  /** A line that is none of a request is refused when it has come: its fields, as in HTTP/0.9, may never come. */
  #refusesLine(octets: Buffer): boolean {
    const end = this.#partial.takeLine();
    const refusal = end < 0 ? undefined : this.#head.refusesLine(octets, end, this.#state.limits);
    if (refusal) this.#refuse(refusal.status, refusalOf(refusal.status));
    return refusal !== undefined;
  }

  /** A request has begun. Returns where it ended in `octets`. */
  #begin(octets: Buffer, bodyStart: number, nowMs: number): number {
    this.deadlineMs = Number.POSITIVE_INFINITY;
    const head = this.#head;
    const { healthPath, viaName, limits } = this.#state;
    if (++this.#requests === 1) this.#state.strangers.delete(this);
    if (this.#requests >= limits.maxRequestsPerConnection) head.keepsAlive = false;
    if (this.peer.isTrusted) head.isSecure = isSecureClient(this.peer, head);
    if (healthPath !== '' && head.target === healthPath && (head.method === 'GET' || head.method === 'HEAD')) {
      this.#answerHealth(nowMs);
      return bodyStart;
    }
    if (isOwnTarget(head.target) && (head.method === 'GET' || head.method === 'HEAD')) {
      const answer = this.#state.router.own?.(head, nowMs);
      if (answer) {
        this.#answerOwn(answer, nowMs);
        return bodyStart;
      }
    }
    if (head.via !== '' && head.via.includes(viaName)) {
      this.#refuse(508, 'bad-request', head.method === 'HEAD', head);
      return octets.length;
    }
    if (head.maxForwards === 0) {
      this.#answerOptions(nowMs);
      return bodyStart;
    }
    const end = this.exchange.begin(octets, bodyStart, nowMs);
    if (this.exchange.isClientDue && this.exchange.isActive && !this.exchange.isWaiting) this.#startBodyTime(nowMs);
    return end;
  }

  #answerHealth(nowMs: number): void {
    const isReady = !this.#state.isClosing;
    const status = isReady ? '200 OK' : '503 Service Unavailable';
    const body = isReady ? 'ok\n' : 'no\n';
    const fields = `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\nCache-Control: no-store\r\n`;
    this.#answerShort(`HTTP/1.1 ${status}\r\n${fields}`, this.#head.method === 'HEAD' ? '' : body, nowMs);
  }

  #answerOwn({ status, fields, body }: OwnAnswer, nowMs: number): void {
    const length = `Content-Length: ${Buffer.byteLength(body)}\r\nCache-Control: no-store\r\n`;
    const octets = Buffer.from(body).toString('latin1');
    this.#answerShort(`HTTP/1.1 ${status}\r\n${fields}${length}`, this.#head.method === 'HEAD' ? '' : octets, nowMs);
  }

  /** RFC 9110 §7.6.2: an OPTIONS that may go no further is answered here. */
  #answerOptions(nowMs: number): void {
    const allow = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';
    this.#answerShort(`HTTP/1.1 200 OK\r\nAllow: ${allow}\r\nContent-Length: 0\r\n`, '', nowMs);
  }

  #answerShort(fields: string, body: string, nowMs: number): void {
    const keepsAlive = this.#head.keepsAlive && this.#head.bodyLength === 0 && !this.#state.isClosing;
    const text = fields + dateField() + connectionField(keepsAlive, this.#head.isHttp10) + body;
    this.write(text);
    this.#state.onAccess?.(ownEntry(this, this.#head, Number(text.slice(9, 12)), text.length));
    this.#next(keepsAlive, nowMs);
  }

  #onEnd(): void {
    this.#hasEnded = true;
    if (this.#tunnel) this.#tunnel.onClientEnd();
    else if (this.#isEnding) this.destroySoon();
    else if (this.#isResuming) return;
    else if (!this.exchange.isActive) this.#linger();
    else if (!this.exchange.body.isComplete || this.exchange.isWaiting) this.destroy();
    else if (!this.exchange.isClientSlow) this.deadlineMs = this.#state.now() + HALF_CLOSED_MS;
  }

  // ---- writing

  write(text: string): boolean {
    this.bytesOut += text.length;
    this.#state.totals.bytesOut += text.length;
    return this.#writer.write(text);
  }

  /** A copy of `octets[start, end)` with texts around it. */
  writeOctets(before: string, octets: Buffer, start: number, end: number, after: string): boolean {
    const { blocks } = this.#state;
    const bytes = before.length + end - start + after.length;
    this.bytesOut += bytes;
    this.#state.totals.bytesOut += bytes;
    this.#writer.flush();
    if (before === '' && after === '') return blocks.write(this.socket, octets, start, end);
    this.socket.cork();
    if (before !== '') this.socket.write(before, 'latin1');
    let hasRoom = blocks.write(this.socket, octets, start, end);
    if (after !== '') hasRoom = this.socket.write(after, 'latin1');
    this.socket.uncork();
    return hasRoom;
  }

  /** An answer of our own to the present exchange. */
  answer(status: number, requestId: string, slip: RoutingSlip): void {
    const head = this.#head;
    this.write(
      errorAnswer({
        status,
        requestId,
        fields: head.forwarded,
        isHead: head.method === 'HEAD',
        isHttp10: head.isHttp10,
        keepsAlive: head.keepsAlive,
        retryAfterSeconds: status === 503 ? 2 : 0,
        hint: status === 503 && isLoopback(this.peer.address) ? this.#unavailableHint(slip) : '',
        page: this.#state.errorPages.get(status) ?? '',
      }),
    );
  }

  /** Why no node is eligible, and what to do: for people on this machine. */
  #unavailableHint(slip: RoutingSlip): string {
    const { router, now, unavailableHint } = this.#state;
    return router.whyUnavailable?.(slip, now()) || unavailableHint;
  }

  /** Refuses what is not a request we take, and closes. `head` is what could be read of it. */
  #refuse(status: number, refusal: Refusal, isHeadRequest = false, head?: RequestHead): void {
    const bytesBefore = this.bytesOut;
    this.#state.totals.refusals[refusal]++;
    countStatus(this.#state.totals.statusClasses, status);
    this.write(
      errorAnswer({
        status,
        requestId: '',
        fields: '',
        isHead: isHeadRequest,
        isHttp10: false,
        keepsAlive: false,
        retryAfterSeconds: 0,
        hint: '',
        page: '',
      }),
    );
    this.#state.onAccess?.(ownEntry(this, head, status, this.bytesOut - bytesBefore));
    this.#linger();
  }

  /** Closes our side and lets the client read what it was told: closing at once could reset it away (RFC 9112 §9.6). */
  #linger(): void {
    this.#isEnding = true;
    this.exchange.closeBound();
    this.#pending = NOTHING;
    this.#partial.clear();
    const nowMs = this.#state.now();
    this.deadlineMs = nowMs + LINGER_MS;
    this.#lingerEndMs = nowMs + this.#state.limits.clientStallMs;
    this.resume();
    if (this.#hasEnded) this.destroySoon();
    else this.end();
  }

  // ---- between exchanges

  /** Closes it between two requests. A request that meets this is not reset: it sees an orderly end. */
  endIdle(): void {
    this.#linger();
  }

  onExchangeEnd(keepsAlive: boolean, nowMs: number): void {
    this.#next(keepsAlive, nowMs);
    if (this.#isEnding || this.#isOver || this.#pending.length === 0 || this.#isResuming) return;
    // A request that came behind this one: not from inside its own answer, or long pipelines would recurse.
    this.#isResuming = true;
    setImmediate(() => this.#resumeRequests());
  }

  #resumeRequests(): void {
    this.#isResuming = false;
    if (this.#isOver || this.#isEnding || this.exchange.isActive) return;
    const octets = this.#pending;
    this.#pending = NOTHING;
    this.resume();
    this.#readRequests(octets);
    if (this.#hasEnded && !this.#isEnding && !this.#isOver) this.#onEnd();
  }

  #next(keepsAlive: boolean, nowMs: number): void {
    if (this.#isOver) return;
    if (!keepsAlive || this.#state.closesIdle || (this.#hasEnded && this.#pending.length === 0)) {
      this.#linger();
      return;
    }
    this.deadlineMs = nowMs + this.#state.limits.idleTimeoutMs;
    this.resume();
  }

  /** A request that waited for a node goes on; its body may have come meanwhile. */
  onUnparked(nowMs: number): void {
    if (this.#isOver || this.#isEnding || !this.exchange.isActive || this.exchange.isWaiting) return;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.resume();
    if (this.exchange.body.isComplete) return;
    this.#startBodyTime(nowMs);
    const octets = this.#pending;
    this.#pending = NOTHING;
    if (octets.length > 0) this.#onBody(octets);
  }

  /** True between requests. */
  get isIdle(): boolean {
    return (
      !this.exchange.isActive &&
      this.#tunnel === undefined &&
      this.#pending.length === 0 &&
      this.#partial.length === 0 &&
      !this.#isEnding
    );
  }

  becomeTunnel(tunnel: Tunnel): void {
    this.#tunnel = tunnel;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.resume();
    const octets = this.#pending;
    this.#pending = NOTHING;
    if (octets.length > 0) tunnel.toNode(octets);
    if (this.#hasEnded) tunnel.onClientEnd();
  }

  get tunnel(): Tunnel | undefined {
    return this.#tunnel;
  }

  // ---- who it is

  /** The fields of a request for its node. Those that repeat are in one piece, which is quicker to write. */
  requestFields(authority: string): string {
    const { forwarded } = this.#head;
    const identity = this.identityFields(authority);
    if (forwarded !== this.#fieldsFor || identity !== this.#fieldsIdentity || authority !== this.#fieldsAuthority) {
      this.#fieldsFor = forwarded;
      this.#fieldsIdentity = identity;
      this.#fieldsAuthority = authority;
      this.#fields = '';
      return requestFields(authority, forwarded, identity);
    }
    if (this.#fields === '') this.#fields = flat(requestFields(authority, forwarded, identity));
    return this.#fields;
  }

  /** The fields that tell the node who asks, and by way of whom. A client seldom asks for two hosts, or tells of proxies. */
  identityFields(authority: string): string {
    const head = this.#head;
    const { viaName } = this.#state;
    if (this.peer.isTrusted) return trustedFields(this.peer, head, authority) + viaField(head, viaName);
    if (head.via !== '' || head.isHttp10) return strangerFields(this.peer, authority) + viaField(head, viaName);
    if (authority !== this.#identityFor) {
      this.#identityFor = authority;
      this.#identity = flat(strangerFields(this.peer, authority) + viaField(head, viaName));
    }
    return this.#identity;
  }

  clientAddress(): string {
    return clientAddress(this.peer, this.#head.forwardedFor, this.#state.isTrusted);
  }

  // ---- flow and time

  pause(): void {
    if (!this.#isEnding) this.socket.pause();
  }

  resume(): void {
    if (!this.socket.isPaused()) return;
    this.socket.resume();
    // While it had to wait its time did not run.
    if (this.exchange.isActive && this.exchange.isClientDue && !this.exchange.isWaiting)
      this.#startBodyTime(this.#state.now());
  }

  /** The answer waits for the client. */
  onSlow(): void {
    this.deadlineMs = this.#state.now() + this.#state.limits.clientStallMs;
  }

  #onDrained(): void {
    if (this.#tunnel) {
      this.#tunnel.onClientDrained();
      return;
    }
    if (!this.exchange.isClientSlow) return;
    this.exchange.onClientDrained();
    const nowMs = this.#state.now();
    if (this.#hasEnded) this.deadlineMs = nowMs + HALF_CLOSED_MS;
    else if (this.exchange.isClientDue) this.#startBodyTime(nowMs);
    else this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  /** The node has asked for the body. */
  onContinue(): void {
    if (this.exchange.isClientDue) this.#startBodyTime(this.#state.now());
  }

  #startBodyTime(nowMs: number): void {
    const { bodyTimeoutMs, bodyGraceMs, minBodyBytesPerSecond } = this.#state.limits;
    this.deadlineMs = nowMs + (minBodyBytesPerSecond === 0 ? bodyTimeoutMs : Math.min(bodyTimeoutMs, bodyGraceMs));
  }

  /** Every octet of a body buys the time that the slowest allowed client takes for it, up to `bodyTimeoutMs` ahead. */
  #earnBodyTime(bytes: number): void {
    if (this.exchange.isClientSlow) return;
    const { bodyTimeoutMs, minBodyBytesPerSecond } = this.#state.limits;
    if (this.exchange.body.isComplete) {
      this.deadlineMs = Number.POSITIVE_INFINITY;
      return;
    }
    const latestMs = this.#state.now() + bodyTimeoutMs;
    if (minBodyBytesPerSecond === 0) this.deadlineMs = latestMs;
    else this.deadlineMs = Math.min(latestMs, this.deadlineMs + (bytes * 1_000) / minBodyBytesPerSecond);
  }

  onDeadline(nowMs: number): void {
    const { exchange } = this;
    if (exchange.isWaiting) exchange.askAgain(true);
    else if (this.#isEnding) this.#onLingerDeadline(nowMs);
    else if (!exchange.isActive) this.#onIdleDeadline();
    else if (exchange.isClientSlow) {
      this.#state.totals.refusals['client-stall']++;
      this.cut(true);
    } else if (this.#hasEnded) this.#onHalfClosedDeadline(nowMs);
    else if (exchange.isClientDue) {
      if (this.socket.isPaused()) this.#startBodyTime(nowMs);
      else exchange.onBodyTimeout();
    }
  }

  #onIdleDeadline(): void {
    if (this.#partial.length > 0) this.#refuse(408, 'header-timeout');
    else {
      if (this.#requests === 0) this.#state.totals.refusals['header-timeout']++;
      this.#linger();
    }
  }

  /** A client that still takes what was written before, or sends faster than the slowest body, is given the time for it. */
  #onLingerDeadline(nowMs: number): void {
    const leastBytes = (this.#state.limits.minBodyBytesPerSecond * LINGER_MS) / 1_000;
    const isSending = this.#lingerBytes > leastBytes;
    this.#lingerBytes = 0;
    if (nowMs >= this.#lingerEndMs || !(this.#writer.hasQueued || isSending)) this.destroy();
    else this.deadlineMs = nowMs + LINGER_MS;
  }

  #onHalfClosedDeadline(nowMs: number): void {
    if (this.bytesOut === this.#bytesOutSeen) {
      this.destroy();
      return;
    }
    this.#bytesOutSeen = this.bytesOut;
    this.deadlineMs = nowMs + HALF_CLOSED_MS;
  }

  // ---- end

  /** Closes our side behind what was written. */
  end(): void {
    this.#writer.flush();
    this.socket.end();
  }

  /** Closes both sides once what was written has left. */
  destroySoon(): void {
    this.#writer.flush();
    this.socket.destroySoon();
  }

  /** Ends the connection in the middle of an answer; `isReset` where only a reset shows that it is not whole. */
  cut(isReset: boolean): void {
    if (this.#isOver) return;
    if (isReset) {
      this.#writer.flush();
      this.socket.resetAndDestroy();
      this.destroy();
    } else this.#linger();
  }

  #onClosed(): void {
    // An orderly close: what was on its way to the node still gets there.
    if (this.#tunnel && this.#hasEnded && !this.socket.errored) this.#tunnel.onClientClosed(true);
    this.destroy();
  }

  destroy(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#state.clients.delete(this);
    this.#state.strangers.delete(this);
    if (this.peer.scheme === 'http') this.#state.admission.leave(this.peer.address, this.peer.isTrusted);
    this.#state.sweep.remove(this);
    this.#state.totals.connections--;
    this.exchange.abort();
    this.#tunnel?.onClientClosed(false);
    this.#writer.flush();
    this.socket.destroy();
    if (this.#state.clients.size === 0) this.#state.onNoClients();
  }
}

/** Nearly every other target differs in its second character. */
function isOwnTarget(target: string): boolean {
  return target.charCodeAt(1) === DOT && target.startsWith(OWN_PREFIX);
}

/** What a head that was refused with this status counts as. */
function refusalOf(status: number): Refusal {
  return status === 414 || status === 431 ? 'too-large' : 'bad-request';
}

/** True when `octets` have no line end within `maxLineBytes`. */
function isLineTooLong(octets: Buffer, maxLineBytes: number): boolean {
  const at = octets.indexOf(LF);
  return at < 0 || at > maxLineBytes;
}

/** True when a request by HEAD begins at `start`: what answers it has no body, a refusal neither. */
function isHead(octets: Buffer, start: number): boolean {
  return octets.toString('latin1', start, start + 5) === 'HEAD ';
}

/** False when the first octet cannot begin a method: a TLS hello on the plain port, for one. */
function mayBeginRequest(octets: Buffer): boolean {
  const first = octets[0]!;
  return first === CR || (first > 0x20 && first < 0x7f);
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}
