/**
 * One connection of a client: reads heads, one request at a time, and keeps what comes behind a request until its
 * answer is complete. Owns its socket, its deadline and the one `Exchange` that serves its requests in turn.
 */
import type net from 'node:net';
import type tls from 'node:tls';
import { RequestHead } from '../http1/request-head.ts';
import type { Deadlined } from './deadline-sweep.ts';
import type { EngineState } from './engine-state.ts';
import { errorAnswer } from './error-page.ts';
import { Exchange } from './exchange.ts';
import type { Tunnel } from './tunnel.ts';

const END_OF_HEAD = Buffer.from('\r\n\r\n', 'latin1');
const NOTHING = Buffer.alloc(0);
/** How long a refused client may go on sending before the connection is cut, milliseconds (RFC 9112 §9.6). */
const LINGER_MS = 2_000;
const CR = 0x0d;
const LF = 0x0a;

export class ClientConnection implements Deadlined {
  readonly socket: net.Socket;
  readonly scheme: 'http' | 'https';
  readonly address: string;
  readonly exchange: Exchange;
  deadlineMs: number;
  readonly #head = new RequestHead();
  readonly #state: EngineState;
  /** Fields about the client, the same for each of its requests. */
  readonly #ownIdentity: string;
  readonly #isTrusted: boolean;
  /** Read but not yet understood: part of a head, or requests behind the present one. */
  #pending: Buffer = NOTHING;
  #tunnel: Tunnel | undefined;
  /** No more requests are read; what comes is thrown away. */
  #isEnding = false;
  #isOver = false;
  #clientEnded = false;
  #served = 0;

  constructor(socket: net.Socket | tls.TLSSocket, state: EngineState) {
    this.socket = socket;
    this.#state = state;
    this.scheme = 'encrypted' in socket ? 'https' : 'http';
    const address = socket.remoteAddress ?? '';
    this.address = address.startsWith('::ffff:') ? address.slice(7) : address;
    this.#isTrusted = state.isTrusted(this.address);
    this.#ownIdentity = `X-Forwarded-For: ${this.address}\r\nX-Forwarded-Proto: ${this.scheme}\r\n`;
    this.exchange = new Exchange(this, this.#head, state);
    this.deadlineMs = state.now() + state.limits.headerTimeoutMs;
    state.clients.add(this);
    state.sweep.add(this);
    state.totals.connections++;
    state.totals.accepted++;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => (this.#tunnel ? this.#tunnel.onClientDrained() : this.exchange.onClientDrained()));
    socket.on('end', () => this.#onEnd());
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.destroy());
  }

  // ---- reading

  #onData(chunk: Buffer): void {
    this.#state.totals.bytesIn += chunk.length;
    if (this.#tunnel) this.#tunnel.toNode(chunk);
    else if (this.#isEnding) return;
    else if (!this.exchange.isActive) this.#readRequests(chunk);
    else if (this.exchange.isRequestComplete || this.exchange.isWaiting) this.#keep(chunk);
    else this.#onBody(chunk);
  }

  #onBody(chunk: Buffer): void {
    this.deadlineMs = this.#state.now() + this.#state.limits.bodyTimeoutMs;
    const end = this.exchange.onRequestData(chunk);
    if (this.exchange.isRequestComplete) this.deadlineMs = Number.POSITIVE_INFINITY;
    if (end < chunk.length && !this.#isEnding) this.#keep(chunk.subarray(end));
  }

  /** Requests behind the present one wait here; one head's worth, then the client waits too. */
  #keep(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    if (this.#pending.length > this.#state.limits.maxFieldBytes) this.pause();
  }

  #readRequests(chunk: Buffer): void {
    const { limits } = this.#state;
    let octets = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = NOTHING;
    while (octets.length > 0) {
      // RFC 9112 §2.2: empty lines before a request line are skipped.
      let start = 0;
      while (octets[start] === CR && octets[start + 1] === LF) start += 2;
      const end = octets.indexOf(END_OF_HEAD, start);
      const nowMs = this.#state.now();
      if (end < 0) {
        if (start > 0) octets = octets.subarray(start);
        this.#awaitHead(octets, nowMs);
        return;
      }
      if (end - start > limits.maxFieldBytes + limits.maxLineBytes) {
        this.#refuse(431);
        return;
      }
      const refusal = this.#head.read(octets.toString('latin1', start, end), limits);
      if (refusal) {
        this.#state.log?.debug({ client: this.address, why: refusal.why }, 'request refused');
        this.#refuse(refusal.status);
        return;
      }
      const next = this.#begin(octets, end + 4, nowMs);
      octets = next < octets.length ? octets.subarray(next) : NOTHING;
      if (this.#isOver || this.#isEnding || this.#tunnel) return;
      if (this.exchange.isActive) {
        if (octets.length > 0) this.#keep(octets);
        return;
      }
    }
  }

  /** An incomplete head: bounded in size and time, and refused at once when it can no longer become a good one. */
  #awaitHead(octets: Buffer, nowMs: number): void {
    const { limits } = this.#state;
    if (octets.length > limits.maxFieldBytes + limits.maxLineBytes) {
      this.#refuse(431);
      return;
    }
    const lineEnd = octets.indexOf(LF);
    if (lineEnd < 0 && octets.length > limits.maxLineBytes) this.#refuse(414);
    else if (hasBareLineEnd(octets) || !mayBeginRequest(octets)) this.#refuse(400);
    else {
      if (this.#pending.length === 0 && this.deadlineMs > nowMs + limits.headerTimeoutMs)
        this.deadlineMs = nowMs + limits.headerTimeoutMs;
      this.#pending = octets;
    }
  }

  /** A request has begun. Returns where it ended in `octets`. */
  #begin(octets: Buffer, bodyStart: number, nowMs: number): number {
    this.#served++;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    const head = this.#head;
    if (
      this.#state.healthPath !== '' &&
      head.target === this.#state.healthPath &&
      (head.method === 'GET' || head.method === 'HEAD')
    ) {
      this.#answerHealth();
      return bodyStart;
    }
    if (head.via.includes(this.#state.viaName)) {
      this.#refuse(508);
      return octets.length;
    }
    if (head.maxForwards === 0 && head.method === 'OPTIONS') {
      this.#answerOptions();
      return bodyStart;
    }
    const end = this.exchange.begin(octets, bodyStart, nowMs);
    if (this.exchange.isActive && !this.exchange.isRequestComplete && !this.exchange.isWaiting)
      this.deadlineMs = nowMs + this.#state.limits.bodyTimeoutMs;
    return end;
  }

  #answerHealth(): void {
    const isReady = !this.#state.isClosing;
    const body = this.#head.method === 'HEAD' ? '' : isReady ? 'ok\n' : 'no\n';
    this.#answerShort(
      `HTTP/1.1 ${isReady ? '200 OK' : '503 Service Unavailable'}\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nCache-Control: no-store\r\n`,
      body,
    );
  }

  /** RFC 9110 §7.6.2: an OPTIONS that may go no further is answered here. */
  #answerOptions(): void {
    this.#answerShort(
      'HTTP/1.1 200 OK\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\nContent-Length: 0\r\n',
      '',
    );
  }

  #answerShort(fields: string, body: string): void {
    const keepsAlive = this.#head.keepsAlive && this.#head.bodyLength === 0;
    this.write(
      `${fields}${keepsAlive ? (this.#head.isHttp10 ? 'Connection: keep-alive\r\n' : '') : 'Connection: close\r\n'}\r\n${body}`,
    );
    this.#next(keepsAlive);
  }

  #onEnd(): void {
    this.#clientEnded = true;
    if (this.#tunnel) this.#tunnel.onClientEnd();
    else if (this.#isEnding) this.destroy();
    else if (!this.exchange.isActive) this.socket.end();
    else if (!this.exchange.isRequestComplete) this.destroy();
    // Otherwise the client has only finished sending: it still gets its answer.
  }

  // ---- writing

  write(text: string): boolean {
    this.#state.totals.bytesOut += text.length;
    return this.socket.write(text, 'latin1');
  }

  writeOctets(before: string, octets: Buffer, after: string): boolean {
    this.#state.totals.bytesOut += before.length + octets.length + after.length;
    if (before === '' && after === '') return this.socket.write(octets);
    this.socket.cork();
    if (before !== '') this.socket.write(before, 'latin1');
    let hasRoom = this.socket.write(octets);
    if (after !== '') hasRoom = this.socket.write(after, 'latin1');
    this.socket.uncork();
    return hasRoom;
  }

  /** An answer of our own to the present exchange. */
  answer(status: number, exchange: Exchange): void {
    const head = this.#head;
    this.write(
      errorAnswer({
        status,
        requestId: exchange.requestId,
        fields: head.forwarded,
        isHead: head.method === 'HEAD',
        isHttp10: head.isHttp10,
        keepsAlive: head.keepsAlive,
        retryAfterSeconds: status === 503 ? 2 : 0,
        hint: status === 503 && isLoopback(this.address) ? this.#state.unavailableHint : '',
      }),
    );
  }

  /** Refuses what is not a request we take, and closes. */
  #refuse(status: number): void {
    this.#state.totals.rejected++;
    this.#state.totals.statusClasses[status >= 500 ? 4 : 3]! += 1;
    this.write(
      errorAnswer({
        status,
        requestId: '',
        fields: '',
        isHead: false,
        isHttp10: false,
        keepsAlive: false,
        retryAfterSeconds: 0,
        hint: '',
      }),
    );
    this.#linger();
  }

  /** Closes our side and lets the client read what it was told: closing at once could reset it away (RFC 9112 §9.6). */
  #linger(): void {
    this.#isEnding = true;
    this.#pending = NOTHING;
    this.deadlineMs = this.#state.now() + LINGER_MS;
    this.resume();
    this.socket.end();
    if (this.#clientEnded) this.destroy();
  }

  // ---- between exchanges

  onExchangeEnd(keepsAlive: boolean): void {
    this.#next(keepsAlive);
    if (this.#isEnding || this.#pending.length === 0 || this.exchange.isActive) return;
    const octets = this.#pending;
    this.#pending = NOTHING;
    // A request that came behind this one: not from inside its own answer, or long pipelines would recurse.
    setImmediate(() => {
      if (!this.#isOver && !this.exchange.isActive) this.#readRequests(octets);
      else if (!this.#isOver)
        this.#pending = this.#pending.length === 0 ? octets : Buffer.concat([octets, this.#pending]);
    });
  }

  #next(keepsAlive: boolean): void {
    if (this.#isOver) return;
    if (!keepsAlive || this.#clientEnded || this.#state.isClosing) {
      this.#linger();
      return;
    }
    this.deadlineMs = this.#state.now() + this.#state.limits.idleTimeoutMs;
    this.resume();
  }

  /** True between requests: may be closed without hurting anybody. */
  get isIdle(): boolean {
    return !this.exchange.isActive && this.#tunnel === undefined && this.#pending.length === 0;
  }

  becomeTunnel(tunnel: Tunnel): void {
    this.#tunnel = tunnel;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.resume();
    if (this.#pending.length > 0) {
      const octets = this.#pending;
      this.#pending = NOTHING;
      tunnel.toNode(octets);
    }
  }

  get tunnel(): Tunnel | undefined {
    return this.#tunnel;
  }

  /** The fields that tell the node who asks. From trusted peers what they say is kept and our own view appended. */
  identityFields(head: RequestHead, authority: string): string {
    if (!this.#isTrusted) return `${this.#ownIdentity}X-Forwarded-Host: ${authority}\r\n`;
    const chain = head.forwardedFor === '' ? this.address : `${head.forwardedFor}, ${this.address}`;
    const others = head.forwardedOther;
    const proto = /^x-forwarded-proto:/im.test(others) ? '' : `X-Forwarded-Proto: ${this.scheme}\r\n`;
    const host = /^x-forwarded-host:/im.test(others) ? '' : `X-Forwarded-Host: ${authority}\r\n`;
    return `X-Forwarded-For: ${chain}\r\n${others}${proto}${host}`;
  }

  // ---- flow and end

  pause(): void {
    if (!this.#isEnding) this.socket.pause();
  }

  resume(): void {
    if (this.socket.isPaused()) this.socket.resume();
  }

  /** A parked request goes on. */
  unpark(): void {
    this.deadlineMs = this.exchange.isRequestComplete
      ? Number.POSITIVE_INFINITY
      : this.#state.now() + this.#state.limits.bodyTimeoutMs;
    this.resume();
  }

  onDeadline(): void {
    if (this.exchange.isWaiting) this.exchange.askAgain(true);
    else if (this.#isEnding) this.destroy();
    else if (this.exchange.isActive) {
      if (this.exchange.isRequestComplete) return;
      if (this.socket.isPaused()) this.deadlineMs = this.#state.now() + this.#state.limits.bodyTimeoutMs;
      else this.destroy();
    } else if (this.#pending.length > 0) this.#refuse(408);
    else if (this.#served > 0) this.#linger();
    else this.destroy();
  }

  /** Breaks the connection so that the client sees that its answer is not whole. */
  cut(): void {
    if (!this.#isOver && !this.socket.destroyed) this.socket.resetAndDestroy();
    this.destroy();
  }

  destroy(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#state.clients.delete(this);
    this.#state.sweep.remove(this);
    this.#state.totals.connections--;
    this.exchange.abort();
    this.#tunnel?.end();
    this.socket.destroy();
  }
}

/** An LF without CR before it, or a CR without LF after it: RFC 9112 §2.2 lets us refuse what others read in two ways. */
function hasBareLineEnd(octets: Buffer): boolean {
  for (let at = octets.indexOf(LF); at >= 0; at = octets.indexOf(LF, at + 1)) if (octets[at - 1] !== CR) return true;
  for (let at = octets.indexOf(CR); at >= 0 && at < octets.length - 1; at = octets.indexOf(CR, at + 1))
    if (octets[at + 1] !== LF) return true;
  return false;
}

/** False when the first octet cannot begin a method: a TLS hello on the plain port, for one. */
function mayBeginRequest(octets: Buffer): boolean {
  const first = octets[0]!;
  return first === CR || (first > 0x20 && first < 0x7f);
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}
